package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/holdfast-sync/holdfast/audit"
)

// AuditVerifyCmd compares events and segments.
type AuditVerifyCmd struct {
	auditFlags
	outputFlag
	Since string `placeholder:"WHEN" help:"Compare the events of hours from this time on; the chain is always checked whole."`
	Until string `placeholder:"WHEN" help:"Compare the events of hours before this time."`
}

// Help is shown below the flags.
func (AuditVerifyCmd) Help() string {
	return `It finds events that were changed, removed or inserted after their hour was sealed, and segments that are missing, forged or
out of line, and says which hour. Exit code 1 when it finds any. Write the last hash down where nobody who can change the
database can change it: it fixes everything before.

Examples:
  holdfast audit verify
  holdfast audit verify --since 30d --output json`
}

// Run compares.
func (c *AuditVerifyCmd) Run(ctx context.Context, con *console) error {
	var bounds [2]time.Time
	for i, text := range []string{c.Since, c.Until} {
		if text == "" {
			continue
		}
		var err error
		if bounds[i], err = parsePast(text, con.now()); err != nil {
			return usage("--%s: %w", []string{"since", "until"}[i], err)
		}
	}
	return c.with(ctx, con, func(ctx context.Context, tool *auditTool) error {
		key, err := sealingKey(tool.settings, false)
		if err != nil {
			return err
		}
		keys, err := trustedKeys(tool.settings, key)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return usage("there is no key to verify with; set audit.sealingKey or audit.trustedKeys")
		}
		at, err := openSites(tool.settings, nil)
		if err != nil {
			return err
		}
		defer at.Close()
		result, err := audit.Verify(ctx, audit.VerifyConfig{
			Store: tool.store, Archives: archives(at), Keys: keys, Since: bounds[0], Until: bounds[1], Now: con.now, Progress: verifyProgress(con),
		})
		if err != nil {
			return failed("not everything could be looked at: %w", err)
		}
		if err := c.write(con, result, func(w io.Writer) { writeVerification(w, result, at.Names()) }); err != nil {
			return err
		}
		if !result.OK() {
			return quiet(exitFailed)
		}
		return nil
	})
}

// verifyProgress shows a line on a terminal, nothing elsewhere.
func verifyProgress(con *console) func(int64, int64, time.Time) {
	if !con.errTerminal {
		return nil
	}
	return func(segment, last int64, hour time.Time) {
		fmt.Fprintf(con.err, "\rsegment %d of %d, %s", segment, last, hour.Format("2006-01-02 15:04"))
		if segment >= last {
			fmt.Fprintln(con.err)
		}
	}
}

func writeVerification(w io.Writer, v audit.Verification, sites []string) {
	rows := make([][]any, len(v.Findings))
	for i, f := range v.Findings {
		hour := "-"
		if !f.Hour.IsZero() {
			hour = f.Hour.UTC().Format("2006-01-02 15:04")
		}
		rows[i] = []any{f.Kind, hour, f.Segment, show(f.Event), show(f.Site), f.Detail}
	}
	if len(rows) > 0 {
		table(w, []any{"FOUND", "HOUR", "SEGMENT", "EVENT", "SITE", "DETAIL"}, rows)
	}
	verdict := "everything is as it was sealed"
	if !v.OK() {
		verdict = "NOT everything is as it was sealed"
	}
	through := "not yet"
	if !v.Sealed.IsZero() {
		through = "through " + v.Sealed.UTC().Format("2006-01-02 15:04")
	}
	fmt.Fprintf(w, "%s: %d segments in %d sites, %d events, sealed %s\n", verdict, v.Segments, len(sites), v.Rows, through)
	if v.Last != "" {
		fmt.Fprintln(w, "last hash:", v.Last)
	}
}

// AuditKeyCmd makes a key.
type AuditKeyCmd struct {
	outputFlag
	To string `required:"" placeholder:"FILE" help:"Where the private key is written; it must not exist yet."`
}

// Help is shown below the flags.
func (AuditKeyCmd) Help() string {
	return `The private key is written to the file, for audit.sealingKey (HOLDFAST_AUDIT_SEALING_KEY_FILE names a file); the public key is
printed, for audit.trustedKeys of whoever verifies.

Examples:
  holdfast audit key --to sealing.key
  holdfast audit key --to sealing.key --output json`
}

// Run makes it.
func (c *AuditKeyCmd) Run(con *console) error {
	key, text, err := newKey()
	if err != nil {
		return failed("no key could be made: %w", err)
	}
	f, err := os.OpenFile(c.To, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return failed("--to: %w", err)
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return failed("--to: %w", err)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	shown := map[string]string{"id": audit.KeyID(public), "publicKey": base64.StdEncoding.EncodeToString(public), "file": c.To}
	return c.write(con, shown, func(w io.Writer) { fmt.Fprintln(w, shown["publicKey"]) })
}
