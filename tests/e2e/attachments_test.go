package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

const mib = 1 << 20

// A file comes in one request, is held once, and is read back whole and in part.
func TestAFileInOneRequest(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{Config: "attachments:\n  types: image/*,application/pdf\n  maxPutBytes: 1MiB\n  maxBytes: 20MiB\n"}, func(t *testing.T, c *harness.Cluster) {
		n := c.Nodes[0]
		octets := harness.Octets(1, 300_000)
		for i, want := range []int{201, 200} {
			a, err := harness.Put(n, octets)
			if err != nil || a.Status != want {
				t.Fatalf("%d: %d %s %v", i, a.Status, a.Body, err)
			}
		}
		n.Holds(t, octets)
		for octets, want := range map[string]int{string(octets): 200, string(harness.Octets(9, 70_000)): 201} { // chunked: the length comes with the last one
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, n.URL+harness.File([]byte(octets)), struct{ io.Reader }{strings.NewReader(octets)})
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "image/jpeg")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("without a length: %d, not %d", res.StatusCode, want)
			}
			n.Holds(t, []byte(octets))
		}
		for header, want := range map[string]struct {
			status int
			octets []byte
		}{
			"bytes=0-9": {206, octets[:10]}, "bytes=299990-": {206, octets[299_990:]}, "bytes=-5": {206, octets[299_995:]}, "bytes=300000-": {416, nil},
		} {
			a := n.Must("GET", harness.File(octets), nil, "Range", header)
			if a.Status != want.status || want.octets != nil && string(a.Body) != string(want.octets) {
				t.Errorf("%s: %d, %d octets", header, a.Status, len(a.Body))
			}
		}
		for name, c := range map[string]struct {
			path, kind string
			octets     []byte
			status     int
			code       string
		}{
			"another digest": {harness.File(octets), "image/jpeg", octets[1:], 200, ""}, // it is held: nothing is looked at
			"lie":            {harness.File([]byte("x")), "image/jpeg", octets, 422, "digest-mismatch"},
			"no hash":        {"/v1/attachments/dock.jpg", "image/jpeg", octets, 400, "invalid-request"},
			"type":           {harness.File([]byte("y")), "text/html", []byte("y"), 415, "unsupported-media-type"},
			"no type":        {harness.File([]byte("y")), "", []byte("y"), 415, "unsupported-media-type"},
			"too large":      {harness.File(harness.Octets(2, 2*mib)), "application/pdf", harness.Octets(2, 2*mib), 413, "too-large"},
		} {
			a, err := harness.Do(http.MethodPut, n.URL+c.path, c.octets, "Content-Type", c.kind)
			if err != nil || a.Status != c.status || a.Code() != c.code {
				t.Errorf("%s: %d %s %v", name, a.Status, a.Body, err)
			}
		}
		a := n.Must("POST", "/v1/attachments", nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(21*mib))
		if a.Status != 413 {
			t.Errorf("too large an upload: %d", a.Status)
		}
		a = n.Must("POST", "/v1/attachments", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "5")
		if a.Status != 415 {
			t.Errorf("an upload of no type: %d", a.Status)
		}
		if a := n.Must("GET", "/v1/limits", nil); !strings.Contains(string(a.Body), `"maxPutBytes":1048576`) || !strings.Contains(string(a.Body), `"image/*"`) {
			t.Errorf("%s", a.Body)
		}
		n.MustBeClean(t)
	})
}

// Uploads of every size around a part, in pieces of every size.
func TestUploadsOfEverySize(t *testing.T) {
	harness.EachStore(t, 1, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		const part = 5 * mib
		var wg sync.WaitGroup
		for i, size := range []int{0, 1, 1000, part - 1, part, part + 1, 2*part + 7} {
			for j, piece := range []int{0, part, 2*mib + 1} {
				octets := harness.Octets(uint64(10+i*3+j), size)
				up := &harness.Upload{Nodes: c.Nodes, Octets: octets, Piece: piece, Named: (i+j)%2 == 0}
				wg.Go(func() {
					up.Run(t, time.Minute)
					c.Nodes[0].Holds(t, octets)
				})
			}
		}
		wg.Wait()
		c.Nodes[0].MustBeClean(t)
	})
}

// naming is a batch of one transaction that names files.
func naming(stream harness.Stream, seq int64, files ...[]byte) []byte {
	var all []string
	for _, octets := range files {
		all = append(all, fmt.Sprintf(`{"sha256":"%s","size":%d,"contentType":"image/jpeg","name":"dock.jpg"}`, harness.SHA256(octets), len(octets)))
	}
	return fmt.Appendf(nil, `{"transactions":[{"id":"%s","seq":%d,"type":"pick.completed","occurredAt":"2026-11-20T10:15:00Z","payload":{},"attachments":[%s]}]}`,
		harness.ID(0x21, int(seq)), seq, strings.Join(all, ","))
}

// Transactions come before and after their files; a stream tells which are missing.
func TestAStreamTellsWhichFilesAreMissing(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		n, s := c.Nodes[0], harness.NewStream(1)
		early, late := harness.Octets(1, 1000), harness.Octets(2, 1001)
		if _, err := harness.Put(n, early); err != nil {
			t.Fatal(err)
		}
		for seq, files := range [][][]byte{{early}, nil, {late, early, late}} {
			a := n.Must("POST", s.Path("/batches"), naming(s, int64(seq+1), files...), harness.JSON(harness.ID(0x31, seq))...)
			if a.Status != 201 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
		list := func(query string) (names []string, next string) {
			a := c.Nodes[len(c.Nodes)-1].Must("GET", s.Path("/attachments"+query), nil)
			var d struct {
				Attachments []struct {
					Seq, Copies int64
					SHA256      string
				}
				Next string
			}
			if err := json.Unmarshal(a.Body, &d); err != nil || a.Status != 200 || a.Number("Holdfast-Accepted-Through") != 3 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			for _, one := range d.Attachments {
				names = append(names, fmt.Sprintf("%d %s %d", one.Seq, one.SHA256[:6], one.Copies))
			}
			return names, d.Next
		}
		missing := func(want int) {
			t.Helper()
			if d := n.Must("GET", s.Path(""), nil).Document(t); fmt.Sprint(d["missingAttachments"]) != fmt.Sprint(want) {
				t.Fatalf("%v", d)
			}
		}
		missing(1)
		lost := fmt.Sprintf("3 %s 0", harness.SHA256(late)[:6])
		if names, _ := list("?missing=1"); len(names) != 1 || names[0] != lost {
			t.Fatal(names)
		}
		first, next := list("?limit=2")
		rest, end := list("?limit=2&after=" + next)
		if len(first) != 2 || len(rest) != 1 || end != "" {
			t.Fatal(first, rest, next, end)
		}
		if _, err := harness.Put(n, late); err != nil {
			t.Fatal(err)
		}
		missing(0)
		if names, _ := list("?missing=1"); len(names) != 0 {
			t.Fatal(names)
		}
	})
}

// A device goes on with its own uploads only, and has so many at a time.
func TestUploadsBelongToTheirDevice(t *testing.T) {
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token", "HOLDFAST_ATTACHMENTS_PER_DEVICE": "2"}})
	token := func(args ...string) string {
		t.Helper()
		out, errs, code := n.Command(append([]string{"token", "create", "--output", "json", "--name", "test"}, args...)...)
		var d struct{ Secret string }
		if err := json.Unmarshal([]byte(out), &d); err != nil || code != 0 || d.Secret == "" {
			t.Fatalf("%d %v %s %s", code, err, out, errs)
		}
		return "Bearer " + d.Secret
	}
	mine, theirs, auditor := token("--scope", "device", "--device", "ipad-1"), token("--scope", "device", "--device", "ipad-2"), token("--scope", "auditor")
	create := func(as string) harness.Answer {
		t.Helper()
		return n.Must("POST", "/v1/attachments", nil, "Authorization", as, "Tus-Resumable", "1.0.0", "Upload-Length", "10")
	}
	first := create(mine)
	at := first.Header.Get("Location")
	patch := func(as string) int {
		t.Helper()
		return n.Must("PATCH", at, []byte("0123456789"), "Authorization", as, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream").Status
	}
	if first.Status != 201 || patch(theirs) != 403 || patch(auditor) != 403 || patch("Bearer x") != 401 {
		t.Fatal(first.Status, patch(theirs), patch(auditor), patch("Bearer x"))
	}
	for method, want := range map[string]int{"HEAD": 403, "DELETE": 403} {
		if a := n.Must(method, at, nil, "Authorization", theirs, "Tus-Resumable", "1.0.0"); a.Status != want {
			t.Errorf("%s: %d", method, a.Status)
		}
	}
	if a := create(mine); a.Status != 201 {
		t.Fatal(a.Status)
	}
	if a := create(mine); a.Status != 429 || a.Code() != "too-many-uploads" || a.Number("Retry-After") < 1 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := create(theirs); a.Status != 201 {
		t.Fatal(a.Status)
	}
	if patch(mine) != 204 {
		t.Fatal("the owner's octets were refused")
	}
	if a := create(mine); a.Status != 201 { // one is finished
		t.Fatal(a.Status)
	}
	octets := []byte("0123456789")
	for as, want := range map[string]int{theirs: 200, auditor: 403, "": 401} {
		if a := n.Must("GET", harness.File(octets), nil, "Authorization", as); a.Status != want {
			t.Errorf("read as %.12s: %d", as, a.Status)
		}
	}
	if a := n.Must("OPTIONS", "/v1/attachments", nil); a.Status != 204 || a.Header.Get("Tus-Version") != "1.0.0" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	out, errs, code := n.Command("audit", "events", "-f", "action=attachment.stored", "--output", "json")
	if code != 0 || !strings.Contains(out, harness.SHA256(octets)) || !strings.Contains(out, "ipad-1") {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

// A node that is told to stop keeps what has come of uploads, and does not wait for their ends.
func TestStoppingKeepsWhatHasCome(t *testing.T) {
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_LIMITS_DRAIN_GRACE": "100ms"}})
	octets := harness.Octets(4, 9*mib)
	up := &harness.Upload{Nodes: []*harness.Node{n}, Octets: octets, Named: true}
	if _, err := up.Step(); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	answered := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodPatch, n.URL+up.Location(), reader)
		r.ContentLength = 9 * mib
		for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
			r.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		_ = res.Body.Close()
		answered <- res.StatusCode
	}()
	if _, err := writer.Write(octets[:3*mib]); err != nil {
		t.Fatal(err)
	}
	n.Signal(syscall.SIGTERM)
	began := time.Now()
	if code := n.Wait(20 * time.Second); code != 0 || time.Since(began) > 15*time.Second {
		t.Fatalf("exit %d after %s", code, time.Since(began))
	}
	if status := <-answered; status != 503 && status != 0 {
		t.Fatal(status)
	}
	_ = writer.Close()
	n.Restart()
	if a := n.Must("HEAD", up.Location(), nil, "Tus-Resumable", "1.0.0"); a.Number("Upload-Offset") < 2*mib {
		t.Fatalf("%d octets were kept", a.Number("Upload-Offset"))
	}
	up.Run(t, time.Minute)
	n.Holds(t, octets)
	n.MustBeClean(t)
}

// The example with curl alone.
func TestCurl(t *testing.T) {
	n := harness.Start(t, harness.Options{})
	file := filepath.Join(t.TempDir(), "photo.jpg")
	if err := os.WriteFile(file, harness.Octets(3, 300_001), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../../examples/curl/attachments.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", script, file)
	cmd.Env = append(os.Environ(), "HOLDFAST_URL="+n.URL)
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"201\n", "200, 0 bytes sent\n", "/v1/attachments/uploads/", "150000 of 300001 bytes", "sha-256=:", "the same, 300001 bytes"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v, without %q:\n%s", err, want, out)
		}
	}
	n.MustBeClean(t)
}

// inTurn is the address of a load balancer that sends each request to another node.
func inTurn(t *testing.T, c *harness.Cluster) string {
	t.Helper()
	var asked atomic.Int64
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		target, err := url.Parse(c.Nodes[asked.Add(1)%int64(len(c.Nodes))].URL)
		if err != nil {
			panic(err)
		}
		r.SetURL(target)
	}})
	t.Cleanup(balancer.Close)
	return balancer.URL
}

// tusjs runs tus-js-client.
func tusjs(t *testing.T, job map[string]any) (result struct {
	Retries  int
	Resumed  bool
	Digest   string
	Statuses map[string]int
	Error    string
},
) {
	t.Helper()
	job["folder"] = t.TempDir() // its file outlives the script: the client's lock on it is given up in the background
	text, _ := json.Marshal(job)
	script, err := filepath.Abs("../tusjs/upload.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(script), "node_modules")); err != nil {
		t.Fatal("tus-js-client is not installed: run make tools")
	}
	var errs strings.Builder
	cmd := exec.Command("node", script, string(text))
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || json.Unmarshal(out, &result) != nil || result.Error != "" {
		t.Fatalf("%v %s %s", err, out, errs.String())
	}
	return result
}

// tus-js-client, unmodified, over a connection that keeps breaking, to nodes that die under it.
func TestTusJSClient(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		if len(c.Nodes) > 1 { // they need object stores that both can reach
			east, west := harness.NewS3Site(t), harness.NewS3Site(t)
			env := map[string]string{"HOLDFAST_OBJECT_STORES": "east=" + east.URL() + ",west=" + west.URL()}
			for i := range c.Nodes {
				c.Nodes[i] = harness.Start(t, harness.Options{DatabaseURL: c.DatabaseURL, Env: env})
			}
		}
		n := c.Nodes[0]
		file := func(seed uint64, size int) (octets []byte, path string) {
			octets, path = harness.Octets(seed, size), filepath.Join(t.TempDir(), "photo.jpg")
			if err := os.WriteFile(path, octets, 0o600); err != nil {
				t.Fatal(err)
			}
			return octets, path
		}
		for i, job := range []map[string]any{
			{}, {"chunkSize": 1 << 20}, {"chunkSize": 6 << 20, "creation": true}, {"resumeAfter": 3 << 20, "chunkSize": 1 << 20}, {"resumeAfter": 7 << 20, "chunkSize": 2 << 20},
		} {
			octets, path := file(uint64(20+i), 11*mib+i)
			job["endpoint"], job["file"] = n.URL+"/v1/attachments", path
			if i%2 == 0 {
				job["sha256"] = harness.SHA256(octets)
			}
			if r := tusjs(t, job); r.Digest == "" || r.Resumed != (job["resumeAfter"] != nil) || r.Retries > 0 {
				t.Errorf("%v: %+v", job, r)
			}
			n.Holds(t, octets)
			if i == 0 { // sending what is held ends at once, without an error
				if r := tusjs(t, job); r.Digest == "" || r.Retries > 0 {
					t.Errorf("again: %+v", r)
				}
			}
		}
		// The connection breaks again and again, each time after some octets.
		octets, path := file(30, 9*mib)
		proxy := harness.NewProxy(t, n.Address)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(15 * time.Millisecond):
					proxy.CutAll()
				}
			}
		})
		r := tusjs(t, map[string]any{"endpoint": "http://" + proxy.Address + "/v1/attachments", "file": path, "sha256": harness.SHA256(octets)})
		close(stop)
		wg.Wait()
		n.Holds(t, octets)
		t.Logf("through cuts: %+v", r)
		// Every request goes to another node.
		octets, path = file(32, 13*mib)
		r = tusjs(t, map[string]any{"endpoint": inTurn(t, c) + "/v1/attachments", "file": path, "chunkSize": 2 << 20})
		n.Holds(t, octets)
		if r.Digest == "" || r.Retries > 0 {
			t.Errorf("at all nodes in turn: %+v", r)
		}
		// The node is killed and started again under it.
		octets, path = file(31, 40*mib)
		wg.Go(func() {
			for range 4 {
				time.Sleep(60 * time.Millisecond) // any moment is right
				n.Restart()
			}
		})
		r = tusjs(t, map[string]any{"endpoint": n.URL + "/v1/attachments", "file": path, "chunkSize": 3 << 20})
		wg.Wait()
		n.AwaitReady()
		n.Holds(t, octets)
		t.Logf("through kills: %+v", r)
		n.MustBeClean(t)
	})
}
