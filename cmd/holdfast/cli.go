package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/redact"
	"github.com/holdfast-sync/holdfast/store"
)

// Exit codes; docs/operate/cli.md tells them to users.
const (
	exitDone        = 0 // done
	exitFailed      = 1 // could not be done, or something is wrong with what was looked at
	exitUsage       = 2 // the command line or a setting is wrong; nothing was tried
	exitUnavailable = 3 // the database or the gateway could not be reached; trying again may help
	exitInterrupted = 130
)

// CLI is the command line.
type CLI struct {
	Serve      ServeCmd      `cmd:"" help:"Start the gateway."`
	Send       SendCmd       `cmd:"" help:"Send a file of transactions to a gateway and prove that it holds them."`
	Migrate    MigrateCmd    `cmd:"" help:"Bring the database's schema to what this version needs."`
	Config     ConfigCmd     `cmd:"" help:"Print the effective settings and where each comes from."`
	Token      TokenCmd      `cmd:"" help:"Make, list and revoke the tokens of auth token."`
	Doctor     DoctorCmd     `cmd:"" help:"Try every setting and connection and say what to do."`
	Audit      AuditCmd      `cmd:"" help:"Ask what happened, make reports, verify the audit log."`
	Objects    ObjectsCmd    `cmd:"" help:"Look after the files in the object stores."`
	Deliveries DeliveriesCmd `cmd:"" help:"Look at deliveries to the systems behind, and decide about them."`
	Quarantine QuarantineCmd `cmd:"" help:"Look at transactions that were set aside, and decide about them."`
	Redact     RedactCmd     `cmd:"" help:"Mask secrets and personal data in lines of the standard input."`
	Version    VersionCmd    `cmd:"" help:"Print the version."`
}

// codedError ends the program with a code of its own.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// failed ends the program with exitFailed and one line.
func failed(format string, args ...any) error {
	return &codedError{code: exitFailed, err: fmt.Errorf(format, args...)}
}

// usage ends the program with exitUsage and one line.
func usage(format string, args ...any) error {
	return &codedError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// quiet ends the program with a code and no line: what there is to say was said.
func quiet(code int) error { return &codedError{code: code} }

// exitCode is what the program ends with after an error.
func exitCode(err error) int {
	var coded *codedError
	var setting *settings.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &setting):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailed
}

// leave is thrown by kong's own exits (--help).
type leave int

// run is the program without the process: it answers the exit code.
func run(args []string, con *console) (code int) {
	defer func() {
		if thrown := recover(); thrown != nil {
			asked, ok := thrown.(leave)
			if !ok {
				panic(thrown)
			}
			code = int(asked)
		}
	}()
	parser, err := newParser(new(CLI), con)
	if err != nil {
		return con.complain(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return con.complain(usage("%w; see holdfast --help", err))
	}
	return con.complain(parsed.Run())
}

func newParser(cli *CLI, con *console) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("holdfast"),
		kong.Description("A sync gateway for apps that must keep working while their backend fails over."),
		kong.Writers(con.out, con.err),
		kong.Exit(func(code int) { panic(leave(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
		kong.Bind(con),
		kong.BindToProvider(interruptible),
	)
}

// interruptible is the context of commands that end when they are interrupted.
func interruptible() (context.Context, error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel) // a second signal ends the process at once
	return ctx, nil
}

// complain writes one line about an error, unless it has none to say.
func (c *console) complain(err error) int {
	code := exitCode(err)
	var coded *codedError
	if err == nil || errors.As(err, &coded) && coded.err == nil {
		return code
	}
	line := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
	fmt.Fprintln(c.err, "holdfast:", redact.Default.String(line))
	return code
}
