package main

import (
	"slices"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// settingFlags are the settings that have a flag of their own, and --set for the
// others. A nil one was not given.
type settingFlags struct {
	ConfigFile  string            `name:"config" short:"c" placeholder:"FILE" help:"The configuration file (default: HOLDFAST_CONFIG, else holdfast.yaml if there)."`
	DataDir     *string           `placeholder:"DIR" help:"The folder of the embedded database (HOLDFAST_DATA_DIR)."`
	DatabaseURL *string           `name:"database-url" placeholder:"URL" help:"A PostgreSQL URL; empty: the embedded database (HOLDFAST_DATABASE_URL)."`
	Set         map[string]string `placeholder:"NAME=VALUE" mapsep:"none" help:"Any other setting, for example --set limits.maxBytes=8MiB. May be repeated."`
}

// named are the flags' names by setting.
func (f settingFlags) named() []settings.Flag {
	return given(flagOf{"dataDir", "--data-dir", f.DataDir}, flagOf{"databaseUrl", "--database-url", f.DatabaseURL})
}

type flagOf struct {
	key, name string
	value     *string
}

func given(flags ...flagOf) []settings.Flag {
	var out []settings.Flag
	for _, f := range flags {
		if f.value != nil {
			out = append(out, settings.Flag{Key: f.key, Name: f.name, Text: *f.value})
		}
	}
	return out
}

// load merges every source of settings.
func (f settingFlags) load(con *console, more ...settings.Flag) (*settings.Settings, error) {
	return settings.Load(f.sources(con, more...))
}

// sources are the places that settings come from.
func (f settingFlags) sources(con *console, more ...settings.Flag) settings.Sources {
	flags := append(f.named(), more...)
	keys := make([]string, 0, len(f.Set))
	for key := range f.Set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		flags = append(flags, settings.Flag{Key: key, Name: "--set " + key, Text: f.Set[key]})
	}
	return settings.Sources{Config: f.ConfigFile, Flags: flags, Environ: con.environ}
}
