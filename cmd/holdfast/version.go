package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/holdfast-sync/holdfast/middleware"
)

// VersionCmd prints the version.
type VersionCmd struct {
	outputFlag
}

// Help is shown below the flags.
func (VersionCmd) Help() string {
	return `Examples:
  holdfast version
  holdfast version --output json`
}

// build says what this program was made from.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Protocol string `json:"protocol"`
}

// Run prints it.
func (c *VersionCmd) Run(con *console) error {
	b := buildVersion()
	return c.write(con, b, func(w io.Writer) {
		fmt.Fprintf(w, "holdfast %s (protocol %s, %s, %s)\n", b.Version, b.Protocol, b.Go, b.Platform)
	})
}

// buildVersion is what the linker was told, else what the Go tool recorded.
func buildVersion() build {
	b := build{
		Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Protocol: middleware.ProtocolVersion,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}
