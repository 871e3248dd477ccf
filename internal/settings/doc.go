// Package settings reads what the gateway is told about itself.
//
// Values come from four places, each winning over the one before: the defaults,
// one YAML file, the environment (HOLDFAST_*), and the command line's flags. What
// is given must mean something: a name that nobody knows, a value that can't be
// read and two settings that contradict each other stop the program with one
// line, an [*Error], that says where the value came from and what to do. A value
// of a secret is never shown.
//
// The struct tags of [Settings] are the one source: of the names in the file
// and the environment, of the defaults, and of docs/operate/settings.md.
package settings

//go:generate go run ./settingsdoc ../../docs/operate/settings.md
