// Package dashboards holds the dashboards, the alerts and the reference of the
// metrics against what a real gateway tells.
package dashboards
