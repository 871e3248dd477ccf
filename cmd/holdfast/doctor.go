package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// DoctorCmd tries everything out.
type DoctorCmd struct {
	settingFlags
	outputFlag
	Timeout time.Duration `default:"10s" help:"How long each check may take."`
}

// Help is shown below the flags.
func (DoctorCmd) Help() string {
	return `Each check says ok, warn or fail, and what to do. It changes nothing and may run beside a gateway. Exit code 1 when a
check fails.

Examples:
  holdfast doctor
  holdfast doctor --config /etc/holdfast.yaml --output json`
}

// The results of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// finding is what a check has found.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	// Advice says what to do; empty when all is well.
	Advice string `json:"advice,omitempty"`
}

func ok(format string, args ...any) finding {
	return finding{Status: checkOK, Detail: shorten(fmt.Sprintf(format, args...))}
}

func warn(advice, format string, args ...any) finding {
	return finding{Status: checkWarn, Detail: shorten(fmt.Sprintf(format, args...)), Advice: advice}
}

func fail(advice, format string, args ...any) finding {
	return finding{Status: checkFail, Detail: shorten(fmt.Sprintf(format, args...)), Advice: advice}
}

// shorten makes one line of what may be an answer of anybody.
func shorten(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	return line[:min(len(line), 300)]
}

// check is one thing to look at; it ends with ctx.
type check struct {
	name string
	run  func(ctx context.Context) finding
}

// Run looks at everything.
func (c *DoctorCmd) Run(ctx context.Context, con *console) error {
	s, err := c.load(con)
	if err != nil {
		return err
	}
	var findings []finding
	worst := exitDone
	databaseFails := false
	for _, one := range checksOf(s, con) {
		if databaseFails && strings.HasPrefix(one.name, databaseCheck) {
			continue // for the same reason
		}
		f := c.look(ctx, one)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		findings = append(findings, f)
		if f.Status == checkFail {
			worst = exitFailed
			databaseFails = databaseFails || one.name == databaseCheck
		}
	}
	err = c.write(con, map[string]any{"ok": worst == exitDone, "checks": findings}, func(w io.Writer) {
		for _, f := range findings {
			fmt.Fprintf(w, "%-4s  %-20s %s\n", f.Status, f.Check, f.Detail)
			if f.Advice != "" {
				fmt.Fprintf(w, "%27s→ %s\n", "", f.Advice)
			}
		}
	})
	if err != nil || worst == exitDone {
		return err
	}
	return quiet(worst)
}

func (c *DoctorCmd) look(ctx context.Context, one check) finding {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	f := one.run(ctx)
	f.Check = one.name
	return f
}

// databaseCheck comes before every other check of the database, whose names begin with it.
const databaseCheck = "database"

// checksOf lists what there is to look at with these settings.
func checksOf(s *settings.Settings, con *console) []check {
	checks := []check{
		{"settings", func(context.Context) finding { return checkSettings(s) }},
		{"file permissions", func(context.Context) finding { return checkPermissions(s, con.environ) }},
		{"schemas", func(context.Context) finding { return checkSchemas(s) }},
		{"consumers", func(context.Context) finding { return checkConsumers(s) }},
		{"listen address", func(ctx context.Context) finding { return checkListen(ctx, s) }},
		{"file descriptors", func(context.Context) finding { return checkDescriptors(s) }},
		{"memory", func(context.Context) finding { return checkMemory(s) }},
	}
	if s.Embedded() {
		checks = append(checks, check{"data directory", func(context.Context) finding { return checkDataDir(s) }})
	}
	checks = append(checks,
		check{databaseCheck, func(ctx context.Context) finding { return checkDatabase(ctx, s, con.discard()) }},
		check{"database schema", func(ctx context.Context) finding { return checkSchema(ctx, s, con.discard()) }},
	)
	if !s.Embedded() {
		checks = append(checks,
			check{"database durability", func(ctx context.Context) finding { return checkDurability(ctx, s) }},
			check{"database clock", func(ctx context.Context) finding { return checkClock(ctx, s, con.now) }},
		)
	}
	if s.RedisURL != "" {
		checks = append(checks, check{"redis", func(ctx context.Context) finding { return checkRedis(ctx, s, con.discard()) }})
	}
	checks = append(checks, check{"audit log", func(context.Context) finding { return checkSealing(s) }})
	checks = append(checks, objectChecks(s)...)
	switch s.Auth.Mode {
	case "token":
		checks = append(checks, check{"tokens", func(ctx context.Context) finding { return checkTokens(ctx, s, con) }})
	case "oidc":
		checks = append(checks, check{"identity provider", func(ctx context.Context) finding { return checkProvider(ctx, s) }})
	}
	return checks
}
