// Package audit answers questions about what happened, and proves that the answers
// are whole.
//
// Events come to be in two ways. What changes the database writes its events in the
// same Tx ([github.com/holdfast-sync/holdfast/store.Append]); what changes nothing (a
// refusal, a replay, the first sight of a session) is told to a [Recorder], which
// folds repeats together and writes in the background.
//
// A [Log] reads them: pages with cursors that never skip an event, the story of a
// session or transaction, the daily report. Every read is itself an event, written
// before the answer is given.
//
// A [Sealer] signs closed hours: a segment lists the hash of each event of an hour,
// names the hash of the segment before it, and is kept in every object store site.
// [Verify] compares segments with events, so that who can change the database but
// has not the key cannot change, remove or insert an event unseen.
package audit
