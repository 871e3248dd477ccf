package sftp_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/sftp"
	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

// A file arrives whole, under its name, and once however often it is sent.
func TestAFileArrives(t *testing.T) {
	s := faultkit.SFTP(t)
	if err := os.Mkdir(filepath.Join(s.Dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	one, other := configOf(s), configOf(s)
	one.Directory, one.SHA256, one.Done = "in/", true, true
	other.File, other.Body, other.JSON = "{{.type}}_{{.payload.n}}_{{.id}}.txt", `{"n":{{.payload.n}},"s":{{.payload.s}}}`, true
	small, large := callOf(t, 1, `{"n":1,"s":"<\"\n>"}`), callOf(t, 2, `{"n":2,"s":"`+strings.Repeat("0123456789", 300_000)+`"}`)
	want := map[string][]byte{}
	for _, c := range []*delivery.Call{small, large} {
		name := "in/" + nameOf(c)
		want[name], want[name+".done"] = bodyOf(c), []byte{}
		want[name+".sha256"] = fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(bodyOf(c)), nameOf(c))
		payload := c.Data()["payload"].(map[string]any)
		want[fmt.Sprintf("pick.completed_%v_%s.txt", payload["n"], c.Transaction)] = fmt.Appendf(nil, `{"n":%v,"s":%s}`, payload["n"], quoted(payload["s"]))
	}
	var times map[string]int64
	for range 2 {
		for _, config := range []sftp.Config{one, other} {
			sender := newSender(t, config)
			for _, c := range []*delivery.Call{small, large, again(small)} {
				if r := send(t, sender, c); r != "confirmed" {
					t.Fatal(r)
				}
			}
		}
		holds(t, s, want)
		if now := changed(t, s); times == nil {
			times = now
		} else if !maps.Equal(now, times) {
			t.Error("written again:", now, times)
		}
	}
}

func quoted(v any) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(fmt.Sprint(v)) + `"`
}

// changed are the times of all files and folders.
func changed(t *testing.T, s *faultkit.SFTPServer) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.Walk(s.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			all[path] = info.ModTime().UnixNano()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is there with other content stays, and an operator is asked.
func TestConflicts(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.SHA256, config.Attachments = true, "{{.file.sha256}}"
	sender := newSender(t, config)
	photo := attached{name: "a.jpg", octets: []byte("octets")}
	for n, there := range map[byte]func(c *delivery.Call) string{
		1: func(c *delivery.Call) string { put(t, s, nameOf(c), "other"); return nameOf(c) },
		2: func(c *delivery.Call) string {
			put(t, s, nameOf(c), strings.Repeat("x", len(bodyOf(c))))
			return nameOf(c)
		},
		3: func(c *delivery.Call) string { put(t, s, nameOf(c), ""); return nameOf(c) },
		4: func(c *delivery.Call) string { put(t, s, nameOf(c)+".sha256", "other"); return nameOf(c) + ".sha256" },
		5: func(*delivery.Call) string { put(t, s, photo.digest(), "OCTETS"); return photo.digest() },
	} {
		c := callOf(t, n, `{}`, photo)
		name := there(c)
		before := s.Files()[name]
		if r := send(t, sender, c); r != "permanent conflict" || !bytes.Equal(s.Files()[name], before) {
			t.Errorf("%d: %s %q", n, r, s.Files()[name])
		}
		_ = os.Remove(filepath.Join(s.Dir, name))
		if r := send(t, sender, again(c)); r != "confirmed" {
			t.Errorf("%d: cleared up: %s", n, r)
		}
	}
	folder := callOf(t, 6, `{}`)
	if err := os.Mkdir(filepath.Join(s.Dir, nameOf(folder)), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := send(t, sender, folder); r != "permanent conflict" {
		t.Error("a folder:", r)
	}
	if left := s.Leftovers(); len(left) > 0 {
		t.Error(left)
	}
	if n := strings.Count(s.Log(), "Accepted publickey"); n != 2 { // one of them is the server's own start
		t.Errorf("%d logins: a conflict is not the connection's fault", n)
	}
}

// Attachments, the file, its digest, its sign: whoever sees one of them finds those before.
func TestTheOrderOfFiles(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.SHA256, config.Done, config.Attachments = true, true, "{{.file.sha256}}-{{.file.name}}"
	first, second := attached{name: "../b c.jpg", octets: bytes.Repeat([]byte("b"), 100_000)}, attached{name: "a.jpg", octets: bytes.Repeat([]byte("a"), 3<<20)}
	c := callOf(t, 1, `{}`, first, second)
	want := []string{first.digest() + "-.._b_c.jpg", second.digest() + "-a.jpg", nameOf(c), nameOf(c) + ".sha256", nameOf(c) + ".done"}
	var mu sync.Mutex
	var seen []string
	s.LoseAnswerWhen(func() bool { // it sees every step before the client does
		mu.Lock()
		defer mu.Unlock()
		all, _ := os.ReadDir(s.Dir)
		for _, one := range all {
			if !slices.Contains(seen, one.Name()) && one.Name()[0] != '.' {
				seen = append(seen, one.Name())
			}
		}
		return false
	})
	if r := send(t, newSender(t, config), c); r != "confirmed" {
		t.Fatal(r)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
	holds(t, s, map[string][]byte{
		want[0]: first.octets, want[1]: second.octets, want[2]: bodyOf(c), want[4]: {},
		want[3]: fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(bodyOf(c)), nameOf(c)),
	})
}

// An attachment that is not what was named never arrives, nor does the file that it belongs to; it is not the consumer's fault.
func TestAttachmentsThatCanNotBeRead(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.Attachments = "{{.file.sha256}}"
	sender := newSender(t, config)
	octets := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	reads := func(r io.Reader) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	}
	n := byte(0)
	for name, open := range map[string]func() (io.ReadCloser, error){
		"missing": func() (io.ReadCloser, error) { return nil, errors.New(secret) },
		"short":   reads(bytes.NewReader(octets[:len(octets)-1])),
		"empty":   reads(strings.NewReader("")),
		"long":    reads(io.MultiReader(bytes.NewReader(octets), strings.NewReader("x"))),
		"endless": reads(iotest.DataErrReader(endless{})),
		"other":   reads(bytes.NewReader(bytes.Repeat([]byte("0123456789ABCDEF"), 10_000))),
		"broken":  reads(io.MultiReader(bytes.NewReader(octets[:70_000]), iotest.ErrReader(errors.New(secret)))),
	} {
		n++
		good := attached{name: "good", octets: []byte("good")}
		c := callOf(t, n, `{}`, good, attached{octets: octets, open: open})
		if r := send(t, sender, c); r != "passing attachment" {
			t.Errorf("%s: %s", name, r)
		}
		holds(t, s, map[string][]byte{good.digest(): good.octets})
	}
	opened := 0
	c := callOf(t, 99, `{}`, attached{octets: octets, open: func() (io.ReadCloser, error) { opened++; return io.NopCloser(bytes.NewReader(octets)), nil }})
	for range 3 {
		if r := send(t, sender, c); r != "confirmed" || opened != 1 {
			t.Error(r, opened)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// No value leads out of the directory, hides a file or takes another's place.
func TestHostileNames(t *testing.T) {
	s := faultkit.SFTP(t)
	above, err := os.ReadDir(filepath.Dir(s.Dir))
	if err != nil {
		t.Fatal(err)
	}
	config := configOf(s)
	config.File, config.Attachments = "{{.payload.n}}-{{.id}}.json", "{{.file.name}}.{{.file.sha256}}"
	sender := newSender(t, config)
	safe := regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$`)
	n, arrived := byte(0), 0
	for value, want := range map[string]string{
		"ok": "confirmed", "a/b": "confirmed", "/etc/passwd": "confirmed", `\\host\x`: "confirmed", "a\x00b": "confirmed", "a\r\nb": "confirmed", "Grün ✓": "confirmed", "-rf": "confirmed",
		"\u202eexe": "confirmed", "": "confirmed", "*?[": "confirmed", "CON:": "confirmed", "~": "confirmed",
		"../../x": "permanent template", "..": "permanent template", ".hidden": "permanent template", strings.Repeat("x", 300): "permanent template", strings.Repeat("é", 101): "confirmed",
	} {
		n++
		if r := send(t, sender, callOf(t, n, `{"n":`+quotedJSON(value)+`}`)); r != want {
			t.Errorf("%q: %s", value, r)
		}
		photo := attached{name: strings.NewReplacer("\x00", "", "\r\n", "").Replace(value), octets: []byte{n}}
		if r := send(t, sender, callOf(t, 100+n, `{"n":1}`, photo)); r != want && (value != "" || r != "permanent template") { // without a name the dot is in front
			t.Errorf("%q of an attachment: %s", value, r)
		}
		if want == "confirmed" {
			arrived++
		}
	}
	files := s.Files()
	for name := range files {
		if !safe.MatchString(name) {
			t.Errorf("%q", name)
		}
	}
	if len(files) != 3*arrived-2 { // a file, and a file with its attachment; but for the one without a name
		t.Errorf("%d files of %d", len(files), arrived)
	}
	if now, err := os.ReadDir(filepath.Dir(s.Dir)); err != nil || len(now) != len(above) {
		t.Error("something is above:", now, err)
	}
}

func quotedJSON(text string) string {
	b := &strings.Builder{}
	for _, r := range text {
		fmt.Fprintf(b, "%s", map[bool]string{true: fmt.Sprintf(`\u%04x`, r), false: string(r)}[r < ' ' || r == '"' || r == '\\'])
	}
	return `"` + b.String() + `"`
}

// A body that is no JSON does not arrive as if it were.
func TestABodyThatIsNoJSON(t *testing.T) {
	s := faultkit.SFTP(t)
	config := configOf(s)
	config.Body, config.JSON = `{"v":"{{.payload.v}}"}`, true
	if r := send(t, newSender(t, config), callOf(t, 1, `{"v":"x"}`)); r != "permanent template" {
		t.Error(r)
	}
	config.JSON = false
	c := callOf(t, 1, `{"v":"x"}`)
	if r := send(t, newSender(t, config), c); r != "confirmed" {
		t.Error(r)
	}
	holds(t, s, map[string][]byte{nameOf(c): []byte(`{"v":"x"}`)})
}

// A file that appears while another is written is not overwritten: it is a conflict, or the very same.
func TestAFileAppearsMeanwhile(t *testing.T) {
	s := faultkit.SFTP(t)
	sender := newSender(t, configOf(s))
	for n, want := range map[byte]string{1: "permanent conflict", 2: "confirmed"} {
		c := callOf(t, n, `{}`)
		there := map[byte][]byte{1: []byte("other"), 2: bodyOf(c)}[n]
		s.LoseAnswerWhen(func() bool {
			if parts, _ := filepath.Glob(filepath.Join(s.Dir, ".*.part")); len(parts) > 0 {
				_ = os.WriteFile(filepath.Join(s.Dir, nameOf(c)), there, 0o600)
			}
			return false
		})
		if r := send(t, sender, c); r != want || !bytes.Equal(s.Files()[nameOf(c)], there) {
			t.Errorf("%s: %q", r, s.Files()[nameOf(c)])
		}
		if left := s.Leftovers(); len(left) > 0 {
			t.Error(left)
		}
	}
}
