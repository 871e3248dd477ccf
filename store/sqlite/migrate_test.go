package sqlite

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/storetest"
)

// A migration that has been released never changes.
var pinned = map[string]string{
	"migrations/00001_begin.sql":       "8e4a94dfc442918acc11a19bdcf5c96fb811eeaff2517bb53fc349801a38bc4e",
	"migrations/00002_audit.sql":       "77a0757cdaec71620a5845859b1ca8b029e7ee5e435f91e5e2bbae1be820a9aa",
	"migrations/00003_attachments.sql": "0bfd7729e1f337345dc391478985b4190a7c0edaa5aad29f371eabc51ce14c0f",
	"migrations/00004_deliveries.sql":  "245d7aa7cce59ef181a9408942aecbd8a42876288ac66dba9eecf75199770044",
}

func TestMigrationsArePinned(t *testing.T) {
	for name, want := range pinned {
		text, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s has changed: %s", name, got)
		}
	}
	files, err := embedded.ReadDir("migrations")
	if err != nil || len(files) != len(pinned) || newest != len(files) {
		t.Errorf("%d migrations, %d pinned, newest is %d: %v", len(files), len(pinned), newest, err)
	}
}

func testConfig(dir string) Config {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return Config{Dir: dir, Logger: quiet}
}

func testMigrator(tb testing.TB, dir string) *Migrator {
	tb.Helper()
	m, err := NewMigrator(tb.Context(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close() })
	return m
}

func up(tb testing.TB, m *Migrator) (applied []int64) {
	tb.Helper()
	if err := m.Up(tb.Context(), func(one store.Migration) { applied = append(applied, one.Version) }); err != nil {
		tb.Fatal(err)
	}
	return applied
}

func TestUpValidateDownAndUpAgain(t *testing.T) {
	ctx := t.Context()
	m := testMigrator(t, t.TempDir())
	if err := m.Validate(ctx); !errors.Is(err, store.ErrSchema) {
		t.Fatal("an empty database is valid:", err)
	}
	for range 2 {
		if applied := up(t, m); len(applied) != newest {
			t.Fatal(applied)
		}
		if err := m.Validate(ctx); err != nil {
			t.Fatal(err)
		}
		status, err := m.Status(ctx)
		if err != nil || len(status) != newest || status[0].AppliedAt.IsZero() || status[0].Name != "00001_begin" {
			t.Fatalf("%+v %v", status, err)
		}
		if applied := up(t, m); len(applied) != 0 {
			t.Fatal("applied twice:", applied)
		}
		if _, err := m.DownTo(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidateNoticesADifference(t *testing.T) {
	for _, change := range []string{"DROP INDEX transactions_by_id", "ALTER TABLE tokens DROP COLUMN revoked_at", "DROP TABLE queues"} {
		m := testMigrator(t, t.TempDir())
		up(t, m)
		if _, err := m.db.Exec("CREATE INDEX later ON streams (device)"); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(t.Context()); err != nil {
			t.Fatal("more than needed is no difference:", err)
		}
		if _, err := m.db.Exec(change); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(t.Context()); !errors.Is(err, store.ErrSchema) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestOpenChecksTheFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), testConfig(dir)); !errors.Is(err, store.ErrSchema) {
		t.Fatal("an empty database was opened:", err)
	}
	m := testMigrator(t, dir)
	up(t, m)
	if _, err := m.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), testConfig(dir))
	if err != nil {
		t.Fatal("a newer schema can be lived with:", err)
	}
	if _, err := Open(t.Context(), testConfig(dir)); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Fatal("two gateways on one directory:", err)
	}
	beside := testConfig(dir)
	beside.Beside = true
	tool, err := Open(t.Context(), beside)
	if err != nil {
		t.Fatal("a tool beside the gateway:", err)
	}
	if err := tool.CreateToken(t.Context(), holdfast.Token{ID: "a", CreatedAt: time.Unix(1, 0)}, holdfast.AuditEvent{Action: holdfast.ActionTokenMade}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_ = tool.Close()
	_ = s.Close()
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, fileName), []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), testConfig(foreign)); !errors.Is(err, store.ErrSchema) {
		t.Fatal("a file that is no database:", err)
	}
}

// TestMain lets this test program be its own child for the crash tests.
func TestMain(m *testing.M) {
	switch os.Getenv("HOLDFAST_TEST_CHILD") {
	case "append":
		childAppends()
	case "full":
		childOnAFullDisk()
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_CHILD="+role, "HOLDFAST_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

const crashStreams = 6

func childAppends() {
	s, err := Open(background, testConfig(os.Getenv("HOLDFAST_TEST_DIR")))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range crashStreams {
		go func() {
			v, err := s.View(background, store.Key{Stream: storetest.ID(0x55, w)})
			for head := v.Head; err == nil; {
				a := storetest.Step(storetest.ID(0x55, w), head, byte(w+1), 3)
				if err = s.Append(background, a); err == nil {
					head = a.Next
					mu.Lock()
					fmt.Println(w, head.AcceptedThrough)
					mu.Unlock()
				}
			}
			fmt.Println("error", err)
		}()
	}
	select {}
}

// P1: whatever was acknowledged before a kill -9 is there afterwards, once, in
// order, to the byte.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	up(t, testMigrator(t, dir))
	told := map[int]int64{}
	for range 20 {
		cmd := child(t, "append", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, kill := 0, 5+rand.IntN(60)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			var w int
			var through int64
			if n, _ := fmt.Sscan(scanner.Text(), &w, &through); n != 2 {
				t.Fatal(scanner.Text())
			}
			told[w] = through
			if lines++; lines == kill {
				_ = cmd.Process.Kill() // what is still in the pipe was told as well
			}
		}
		_ = cmd.Wait()
	}
	s, err := Open(t.Context(), testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for w := range crashStreams {
		v, err := s.View(t.Context(), store.Key{Stream: storetest.ID(0x55, w)})
		if err != nil || v.Head.AcceptedThrough < told[w] || told[w] == 0 {
			t.Fatalf("stream %d: told of %d, held %d: %v", w, told[w], v.Head.AcceptedThrough, err)
		}
		storetest.CheckStream(t, s, storetest.ID(0x55, w), byte(w+1), v.Head.AcceptedThrough)
	}
}

// childOnAFullDisk may not make files of more than 400 kB: to SQLite that is a
// disk that is full. Then it has room again.
func childOnAFullDisk() {
	fail := func(what string, err error) {
		fmt.Println(what, err)
		os.Exit(1)
	}
	s, err := Open(background, testConfig(os.Getenv("HOLDFAST_TEST_DIR")))
	if err != nil {
		fail("open", err)
	}
	limit := syscall.Rlimit{Cur: 400 << 10, Max: 1 << 40}
	var before syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before)
	limit.Max = before.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fail("setrlimit", err)
	}
	var head holdfast.Head
	full := false
	for range 2000 {
		a := storetest.Step(storetest.ID(0x55, 1), head, 1, 20)
		err := s.Append(background, a)
		if err == nil {
			head = a.Next
			continue
		}
		if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrOutcomeUnknown) {
			fail("append", err)
		}
		full = true
		break
	}
	if !full {
		fail("the disk was never full", nil)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		fail("setrlimit", err)
	}
	v, err := s.View(background, store.Key{Stream: storetest.ID(0x55, 1)})
	if err != nil || v.Head != head {
		fail(fmt.Sprintf("held %d, told %d", v.Head.AcceptedThrough, head.AcceptedThrough), err)
	}
	for range 50 {
		a := storetest.Step(storetest.ID(0x55, 1), head, 1, 20)
		if err := s.Append(background, a); err != nil {
			fail("append with room", err)
		}
		head = a.Next
	}
	fmt.Println("through", head.AcceptedThrough)
	os.Exit(0)
}

func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	up(t, testMigrator(t, dir))
	out, err := child(t, "full", dir).Output()
	var through int64
	if n, _ := fmt.Sscanf(string(out), "through %d", &through); err != nil || n != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	s, err := Open(t.Context(), testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.CheckStream(t, s, storetest.ID(0x55, 1), 1, through)
}
