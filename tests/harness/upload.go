package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func discard() *stdlog.Logger { return stdlog.New(io.Discard, "", 0) }

// Octets are random, the same for the same seed.
func Octets(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	_, _ = r.Read(b)
	return b
}

// SHA256 is the name of a file.
func SHA256(octets []byte) string {
	sum := sha256.Sum256(octets)
	return hex.EncodeToString(sum[:])
}

// File is the path of a file.
func File(octets []byte) string { return "/v1/attachments/" + SHA256(octets) }

// Put puts a file in one request.
func Put(n *Node, octets []byte, header ...string) (Answer, error) {
	return Do(http.MethodPut, n.URL+File(octets), octets, append([]string{"Content-Type", "image/jpeg"}, header...)...)
}

// Upload is a resumable one, as a client of tus 1.0 does it: after anything that went wrong it asks
// for the offset and goes on from there, at the next of its nodes.
type Upload struct {
	Nodes  []*Node
	Octets []byte
	Piece  int      // octets in a PATCH; 0: all that are left
	Named  bool     // the sha256 is announced
	Header []string // of every request

	at     string // Location
	asked  int
	Failed map[string]int // answers and errors that were no success
	Rewind int            // how often the offset went back
	last   int64
}

// Location of the upload, once it is begun.
func (u *Upload) Location() string { return u.at }

// node is the next one.
func (u *Upload) node() *Node {
	u.asked++
	return u.Nodes[u.asked%len(u.Nodes)]
}

func (u *Upload) do(method, path string, body []byte, header ...string) (Answer, error) {
	header = append(append([]string{"Tus-Resumable", "1.0.0"}, header...), u.Header...)
	a, err := Do(method, u.node().URL+path, body, header...)
	if u.Failed == nil {
		u.Failed = map[string]int{}
	}
	switch {
	case err != nil:
		u.Failed["none"]++
	case a.Status >= 400:
		u.Failed[fmt.Sprintf("%d %s", a.Status, a.Code())]++
	}
	return a, err
}

// Step does one request; done says that the file is there.
func (u *Upload) Step() (done bool, err error) {
	if u.at == "" {
		header := []string{"Upload-Length", strconv.Itoa(len(u.Octets))}
		if u.Named {
			header = append(header, "Upload-Metadata", "sha256 "+base64.StdEncoding.EncodeToString([]byte(SHA256(u.Octets))))
		}
		a, err := u.do(http.MethodPost, "/v1/attachments", nil, header...)
		if err == nil && a.Status == http.StatusCreated {
			u.at = a.Header.Get("Location")
		}
		return len(u.Octets) == 0 && u.at != "", err
	}
	a, err := u.do(http.MethodHead, u.at, nil)
	if err != nil || a.Status != http.StatusOK {
		if a.Status == http.StatusNotFound {
			return false, fmt.Errorf("the upload is gone: %v", u.Failed)
		}
		return false, err
	}
	offset := a.Number("Upload-Offset")
	if offset < u.last {
		u.Rewind++
	}
	u.last = offset
	if offset == int64(len(u.Octets)) {
		return true, nil
	}
	piece := u.Octets[offset:]
	if u.Piece > 0 {
		piece = piece[:min(u.Piece, len(piece))]
	}
	a, err = u.do(http.MethodPatch, u.at, piece, "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.FormatInt(offset, 10))
	if a.Status == http.StatusUnprocessableEntity {
		return false, fmt.Errorf("refused: %s", a.Body)
	}
	return err == nil && a.Status == http.StatusNoContent && a.Header.Get("Repr-Digest") != "", nil
}

// Run goes on until the file is there. It may run beside the test's own goroutine.
func (u *Upload) Run(tb testing.TB, patience time.Duration) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		done, err := u.Step()
		if done {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("the upload does not get on: %v, offset %d: %v", u.Failed, u.last, err)
			return
		}
		if u.at == "" || err != nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// Holds checks that a node gives a file back, octet for octet.
func (n *Node) Holds(tb testing.TB, octets []byte) {
	tb.Helper()
	if err := n.Read(octets); err != nil {
		tb.Fatal(err)
	}
}

// Read is nil when the node gives a file back whole.
func (n *Node) Read(octets []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+File(octets), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(got, octets) {
		return fmt.Errorf("%s answers %d with %d octets of %d: %w", n.URL+File(octets), res.StatusCode, len(got), len(octets), err)
	}
	return nil
}

// Check is what holdfast objects check says.
type Check struct {
	Attachments, Objects, Missing, Orphaned, Extra, Damaged, Leftovers, Repaired, Lost int64

	Clean       bool
	Unreachable []string
	Findings    []struct {
		Kind, Site, Name, Detail string
		Repaired, Lost           bool
	}
}

// CheckObjects runs holdfast objects check on the node's settings, without grace.
func (n *Node) CheckObjects(tb testing.TB, args ...string) (Check, int) {
	tb.Helper()
	out, errs, code := n.Command(append([]string{"objects", "check", "--output", "json", "--grace", "0s"}, args...)...)
	var c Check
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		tb.Fatalf("objects check: exit %d, %v: %s %s", code, err, out, errs)
	}
	return c, code
}

// MustBeClean fails the test unless the object stores are as the database says.
func (n *Node) MustBeClean(tb testing.TB) {
	tb.Helper()
	if c, code := n.CheckObjects(tb, "--deep"); code != 0 || !c.Clean {
		tb.Fatalf("objects check: exit %d, %+v", code, c)
	}
}
