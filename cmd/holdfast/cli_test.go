package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

func TestMain(m *testing.M) {
	if how := os.Getenv("CANARY_DIE"); how != "" {
		if len(os.Args) > 1 && os.Args[1] == "redact" {
			main()
		}
		die(how)
		return
	}
	testscript.Main(servers{m}, map[string]func(){"holdfast": main})
}

// servers stops the tests' PostgreSQL behind them.
type servers struct{ m *testing.M }

// Run runs the tests.
func (s servers) Run() int {
	defer testserver.Close()
	return s.m.Run()
}

// TestScripts runs the program in a process of its own, as a person would.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Vars = slices.DeleteFunc(e.Vars, func(v string) bool { return strings.HasPrefix(v, "HOLDFAST_") })
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "tokenid": tokenID, "taken": taken,
		},
	})
}

// exits CODE COMMAND… runs a command that must end with exactly that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	if stderr := ts.ReadFile("stderr"); strings.Contains(stderr, "goroutine ") {
		ts.Fatalf("a stack trace: %s", stderr)
	}
}

// tokenid FILE NAME takes the id out of a secret.
func tokenID(ts *testscript.TestScript, _ bool, args []string) {
	parts := strings.Split(ts.ReadFile(args[0]), "_")
	ts.Setenv(args[1], parts[1])
}

// taken NAME listens on an address for the rest of the script.
func taken(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// commands are the ones that can be run, with their names.
func commands(t *testing.T) map[string]*kong.Node {
	t.Helper()
	parser, err := newParser(new(CLI), &console{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*kong.Node{}
	for _, leaf := range parser.Model.Leaves(true) {
		found[strings.TrimSuffix(leaf.FullPath(), " ")] = leaf
	}
	return found
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operate/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryCommandHasHelpAnExampleAndOutput(t *testing.T) {
	all := commands(t)
	if len(all) < 11 {
		t.Fatalf("%d commands", len(all))
	}
	for name, node := range all {
		if node.Help == "" || !strings.Contains(node.Detail, "Example") || !strings.Contains(node.Detail, "holdfast "+strings.Fields(name)[1]) {
			t.Errorf("%s: no help or no example", name)
		}
		var shown strings.Builder
		words := slices.DeleteFunc(strings.Fields(name)[1:], func(w string) bool { return strings.HasPrefix(w, "<") })
		if code := run(append(words, "--help"), &console{out: &shown, err: &shown}); code != exitDone || !strings.Contains(shown.String(), "Examples:") {
			t.Errorf("%s --help: %d %s", name, code, shown.String())
		}
		flags := map[string]bool{}
		for _, f := range node.Flags {
			flags[f.Name] = true
			if f.Help == "" {
				t.Errorf("%s --%s: no help", name, f.Name)
			}
		}
		if !flags["output"] && !strings.HasSuffix(name, "redact") { // whose output is its input
			t.Errorf("%s has no --output", name)
		}
	}
}

func TestPageNamesEveryCommandAndExitCode(t *testing.T) {
	text := page(t)
	for name := range commands(t) {
		words := strings.Fields(name)
		plain := slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "<") })
		if !strings.Contains(text, "| `"+strings.Join(plain, " ")+"` |") {
			t.Errorf("docs/operate/cli.md does not name %s", name)
		}
	}
	var told []int
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| `).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(row[1])
		told = append(told, n)
	}
	known := []int{exitDone, exitFailed, exitUsage, exitUnavailable, exitDiverged, exitInterrupted}
	if !slices.Equal(told, known) {
		t.Errorf("docs/operate/cli.md tells the exit codes %v, the program has %v", told, known)
	}
}
