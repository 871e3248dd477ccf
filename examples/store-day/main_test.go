package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/client/go/journal"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/schemas"
)

func generate(t *testing.T, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheCommittedFilesAreWhatTheProgramMakes(t *testing.T) {
	for file, args := range map[string][]string{"day.jsonl": nil, "bad.jsonl": {"--bad"}} {
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, generate(t, args...)) {
			t.Errorf("%s differs: go run ./examples/store-day %s > examples/store-day/%s", file, strings.Join(args, " "), file)
		}
	}
}

// sent is what a transaction says of itself.
type sent struct {
	ID          holdfast.ID
	Seq         int64
	Type        string
	Schema      int64
	OccurredAt  time.Time
	Payload     json.RawMessage
	Attachments []attachment
}

// each reads a file as holdfast send does, stream by stream.
func each(t *testing.T, text []byte, do func(sent)) *journal.Journal {
	t.Helper()
	j, err := journal.Read(bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range j.Streams() {
		for seq := int64(1); seq <= s.Last(); seq++ {
			raw, err := s.Transaction(seq)
			if err != nil {
				t.Fatal(err)
			}
			var one sent
			if err := json.Unmarshal(raw.Raw, &one); err != nil {
				t.Fatal(err)
			}
			do(one)
		}
	}
	return j
}

// registry is the example's own, from its configuration file.
func registry(t *testing.T) *schemas.Registry {
	t.Helper()
	s, err := settings.Load(settings.Sources{Config: "holdfast.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := schemas.Config{Dir: ".", Unregistered: s.Schemas.Unregistered}
	for _, one := range s.Schemas.Types {
		cfg.Types = append(cfg.Types, schemas.Type{Type: one.Type, Version: one.Version, File: one.File})
	}
	files, err := filepath.Glob("schemas/*.json")
	if err != nil || len(files) != len(cfg.Types) || len(files) == 0 {
		t.Fatalf("%d schema files, %d registered, %v", len(files), len(cfg.Types), err)
	}
	r, err := schemas.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryTransactionOfTheDayKeepsToItsSchema(t *testing.T) {
	r := registry(t)
	for _, seed := range []string{"1", "2", "3"} {
		seen := map[string]int{}
		j := each(t, generate(t, "--seed", seed), func(one sent) {
			seen[one.Type]++
			if problem := r.Check(one.Type, one.Schema, one.Payload); problem != nil {
				t.Errorf("seed %s: %s breaks its schema: %s\n%s", seed, one.Type, problem, one.Payload)
			}
		})
		if len(seen) != 13 {
			t.Errorf("seed %s: the types are %v", seed, seen)
		}
		if n := j.Count(); n < 3000 || n > 4500 || len(j.Streams()) != 9 {
			t.Errorf("seed %s: %d transactions of %d devices", seed, n, len(j.Streams()))
		}
	}
}

func TestTwoOfTheBadTransactionsBreakTheirSchemas(t *testing.T) {
	r := registry(t)
	var broken []int64
	each(t, generate(t, "--bad"), func(one sent) {
		if r.Check(one.Type, one.Schema, one.Payload) != nil {
			broken = append(broken, one.Seq)
		}
	})
	if len(broken) != 2 || broken[0] != 1 || broken[1] != 2 {
		t.Errorf("broken: %v", broken)
	}
}

func TestADayIsBelievable(t *testing.T) {
	day := generate(t)
	if len(day) > 3<<20 {
		t.Errorf("%d bytes", len(day))
	}
	ids := map[holdfast.ID]bool{}
	var before sent
	signatures := 0
	each(t, day, func(one sent) {
		if ids[one.ID] {
			t.Errorf("%s is used twice", one.ID)
		}
		ids[one.ID] = true
		if made := int64(one.ID[0])<<40 | int64(one.ID[1])<<32 | int64(one.ID[2])<<24 | int64(one.ID[3])<<16 | int64(one.ID[4])<<8 | int64(one.ID[5]); made != one.OccurredAt.UnixMilli() || one.ID[6]>>4 != 7 {
			t.Errorf("%s is not a version 7 UUID of %s", one.ID, one.OccurredAt)
		}
		if one.Seq > 1 && !one.OccurredAt.After(before.OccurredAt) {
			t.Errorf("%d happens before %d", one.Seq, before.Seq)
		}
		if hour := one.OccurredAt.Hour(); hour < 6 || hour > 22 {
			t.Errorf("%s at %s", one.Type, one.OccurredAt)
		}
		if one.Type == "order.handed-over" {
			signatures += len(one.Attachments)
		}
		before = one
	})
	if signatures < 100 {
		t.Errorf("%d signatures", signatures)
	}
	for _, want := range []string{`日本酒`, `"celsius":null`, `"quantity":1.`, "🧊", `\"Barista\"`} {
		if !bytes.Contains(day, []byte(want)) {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestAnotherDeviceOrStoreDoesNotChangeTheOthers(t *testing.T) {
	few, more := generate(t, "--devices", "2"), generate(t, "--devices", "3", "--stores", "2")
	kept := map[string]bool{}
	for text := range bytes.Lines(more) {
		kept[string(text)] = true
	}
	for text := range bytes.Lines(few) {
		if !kept[string(text)] {
			t.Fatalf("gone: %s", text)
		}
	}
	if bytes.Equal(generate(t, "--seed", "2", "--devices", "1"), generate(t, "--devices", "1")) {
		t.Error("the seed changes nothing")
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"--stores", "0"}, {"--devices", "100"}, {"--date", "yesterday"}, {"x"}, {"--nope"}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestAFullDiskIsSaid(t *testing.T) {
	if err := run(nil, fullDisk{}, io.Discard); err == nil {
		t.Error("nothing is said")
	}
}
