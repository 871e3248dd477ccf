package main

import (
	"fmt"
	"io"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// ConfigCmd prints the effective settings.
type ConfigCmd struct {
	settingFlags
	outputFlag
}

// Help is shown below the flags.
func (ConfigCmd) Help() string {
	return `Secrets are masked. Wrong settings end it with one line and exit code 2, as they would end serve.

Examples:
  holdfast config
  HOLDFAST_AUTH=token holdfast config --output json`
}

// effective is the JSON form.
type effective struct {
	File     string           `json:"file"` // empty: none
	Settings []settings.Value `json:"settings"`
}

// Run prints them.
func (c *ConfigCmd) Run(con *console) error {
	s, err := c.load(con)
	if err != nil {
		return err
	}
	values := s.Effective()
	return c.write(con, effective{s.File, values}, func(w io.Writer) {
		rows := make([][]any, len(values))
		for i, v := range values {
			rows[i] = []any{v.Setting, show(v.Value), v.Source}
		}
		table(w, []any{"SETTING", "VALUE", "FROM"}, rows)
	})
}

func show(value string) string {
	if value == "" {
		return "-"
	}
	return fmt.Sprint(value)
}
