// Package auditsql is what the backends' SQL of the audit log has in common: the
// columns of its table in one order, and the conditions that a filter means. A
// backend brings its placeholders, its types and its table.
package auditsql
