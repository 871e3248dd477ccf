package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// region is two nodes in two rings on one PostgreSQL, and the object stores of both.
type region struct {
	east, west *harness.S3Site
	a, b       *harness.Node // own site east, own site west
}

func newRegion(t *testing.T, env map[string]string) *region {
	t.Helper()
	r := &region{east: harness.NewS3Site(t), west: harness.NewS3Site(t)}
	database := testserver.Postgres(t).NewDatabase(t)
	node := func(site string) *harness.Node {
		all := map[string]string{
			"HOLDFAST_OBJECT_STORES": "east=" + r.east.URL() + ",west=" + r.west.URL(), "HOLDFAST_SITE": site, "HOLDFAST_ATTACHMENTS_PATIENCE": "500ms",
		}
		for name, value := range env {
			all[name] = value
		}
		return harness.Start(t, harness.Options{DatabaseURL: database, Env: all})
	}
	r.a, r.b = node("east"), node("west")
	return r
}

func (r *region) nodes() []*harness.Node { return []*harness.Node{r.a, r.b} }

// settled waits until both nodes know that both sites are up.
func (r *region) settled(t *testing.T) {
	t.Helper()
	for _, n := range r.nodes() {
		harness.Eventually(t, 30*time.Second, func() error {
			if a := n.Must("GET", "/v1/health", nil); strings.Contains(string(a.Body), "DOWN") {
				return fmt.Errorf("%s", a.Body)
			}
			return nil
		})
	}
}

// mustPut puts a file as a client does: again until it is taken.
func mustPut(t *testing.T, n *harness.Node, octets []byte) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() error {
		a, err := harness.Put(n, octets)
		if err == nil && a.Status != 200 && a.Status != 201 {
			if a.Status != 503 || a.Number("Retry-After") < 1 {
				t.Fatalf("a put is answered %d %s", a.Status, a.Body)
			}
			err = fmt.Errorf("%d %s", a.Status, a.Code())
		}
		return err
	})
}

const mib = 1 << 20

// Whatever happens to a site, nobody notices: files go to the other one, once, whole, and can be read from either side.
func TestASiteFails(t *testing.T) {
	r := newRegion(t, nil)
	before := harness.Octets(1, 300_000)
	mustPut(t, r.b, before) // in the west
	for i, c := range []struct {
		fault harness.S3Fault
		after int64
	}{
		{harness.S3Refuses, 0},
		{harness.S3Hangs, 0},
		{harness.S3Error, 0},
		{harness.S3SlowDown, 0},
		{harness.S3CutsPuts, 0},
		{harness.S3CutsPuts, 100_000},
		{harness.S3LosesAnswer, 0},
		{harness.S3CutsGets, 1000},
	} {
		t.Run(fmt.Sprintf("%s after %d", c.fault, c.after), func(t *testing.T) {
			r.settled(t)
			r.east.Set(c.fault, c.after)
			small := [][]byte{harness.Octets(uint64(100+i), 200_000), harness.Octets(uint64(200+i), 9), harness.Octets(uint64(300+i), 0)}
			began := time.Now()
			for _, octets := range small {
				a, err := harness.Put(r.a, octets)
				if err != nil || a.Status != 201 && (len(octets) > 0 || a.Status != 200) {
					t.Fatalf("a put is answered %d %s %v", a.Status, a.Body, err)
				}
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("three puts took %s", took)
			}
			large := harness.Octets(uint64(400+i), 12*mib+i)
			up := &harness.Upload{Nodes: r.nodes(), Octets: large, Piece: 3 * mib, Named: i%2 == 0}
			up.Run(t, time.Minute)
			for _, n := range r.nodes() {
				n.Holds(t, before)
				if c.fault != harness.S3CutsGets { // these files are in the east, which can't be read now
					n.Holds(t, large)
				}
			}
			if r.east.Hit() == 0 {
				t.Error("the fault met nobody")
			}
			r.east.Set(harness.S3Well, 0)
			r.settled(t)
			for _, n := range r.nodes() {
				for _, octets := range append(small, large) {
					n.Holds(t, octets)
				}
			}
			r.a.MustBeClean(t)
		})
	}
}

// With both sites down nothing is taken and nothing is lost; an upload goes on where it was.
func TestBothSitesFail(t *testing.T) {
	r := newRegion(t, nil)
	octets := harness.Octets(2, 14*mib)
	up := &harness.Upload{Nodes: r.nodes(), Octets: octets, Piece: 6 * mib}
	for range 2 { // creation, and the first six
		if _, err := up.Step(); err != nil {
			t.Fatal(err)
		}
	}
	held := harness.Octets(3, 1000)
	mustPut(t, r.a, held)
	for _, site := range []*harness.S3Site{r.east, r.west} {
		site.Set(harness.S3Refuses, 0)
	}
	for range 8 {
		a, err := harness.Put(r.a, harness.Octets(4, 1000))
		if err != nil || a.Status != 503 || a.Code() != "backend-unavailable" || a.Number("Retry-After") < 1 {
			t.Fatalf("%d %s %v", a.Status, a.Body, err)
		}
		if done, _ := up.Step(); done {
			t.Fatal("an upload was finished into nothing")
		}
		if a := r.b.Must("GET", harness.File(held), nil); a.Status != 503 {
			t.Fatalf("a file that can't be read is answered %d", a.Status)
		}
	}
	if c, code := r.a.CheckObjects(t); code != 3 || len(c.Unreachable) != 2 || c.Clean {
		t.Errorf("a check of sites that are down: exit %d, %+v", code, c)
	}
	for _, site := range []*harness.S3Site{r.east, r.west} {
		site.Set(harness.S3Well, 0)
	}
	r.settled(t)
	up.Run(t, time.Minute)
	if up.Rewind > 0 {
		t.Errorf("the upload began anew: %v", up.Failed)
	}
	for _, n := range r.nodes() {
		n.Holds(t, octets)
		n.Holds(t, held)
	}
	r.b.MustBeClean(t)
}

// A site is killed while octets go to it, in the middle of uploads that hold parts there. They begin anew at the other one; what
// the dead site held is there again when it comes back.
func TestASiteLosesPower(t *testing.T) {
	r := newRegion(t, nil)
	held := harness.Octets(5, 2*mib)
	mustPut(t, r.a, held)
	var wg sync.WaitGroup
	var all []*harness.Upload
	for i := range 6 {
		up := &harness.Upload{Nodes: []*harness.Node{r.b, r.a}, Octets: harness.Octets(uint64(500+i), 20*mib), Piece: 7 * mib, Named: i%2 == 0} // a begins it, so in the east
		all = append(all, up)
		wg.Go(func() { up.Run(t, 2*time.Minute) })
	}
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // any put is right
	r.east.Set(harness.S3Dies, 1*mib)                            // in the middle of the next one
	wg.Wait()
	if r.east.Hit() == 0 {
		t.Error("it was not killed in a put")
	}
	r.east.Set(harness.S3Well, 0)
	for _, up := range all {
		for _, n := range r.nodes() {
			n.Holds(t, up.Octets)
		}
	}
	if err := r.east.Server.Start(); err != nil {
		t.Fatal(err)
	}
	r.settled(t)
	for _, n := range r.nodes() {
		n.Holds(t, held)
	}
	r.a.MustBeClean(t)
}

// A site comes back with the data of an hour ago. Of two copies nothing is lost, and the copy is made again by itself.
func TestASiteComesBackWithOldData(t *testing.T) {
	r := newRegion(t, map[string]string{"HOLDFAST_ATTACHMENTS_COPIES": "2"})
	old, lost := harness.Octets(6, 300_000), harness.Octets(7, 6*mib)
	mustPut(t, r.a, old)
	copied := func(octets []byte) {
		t.Helper()
		harness.Eventually(t, 30*time.Second, func() error {
			for _, site := range []*harness.S3Site{r.east, r.west} {
				if !site.Server.Has("attachments/" + harness.SHA256(octets)[:2] + "/" + harness.SHA256(octets)) {
					return fmt.Errorf("a site has no copy")
				}
			}
			return nil
		})
	}
	copied(old)
	r.east.Server.Kill()
	snapshot := r.east.Server.Snapshot(t)
	if err := r.east.Server.Start(); err != nil {
		t.Fatal(err)
	}
	r.settled(t)
	mustPut(t, r.a, lost)
	copied(lost)
	r.east.Server.Kill()
	r.east.Server.Restore(t, snapshot)
	if err := r.east.Server.Start(); err != nil {
		t.Fatal(err)
	}
	r.settled(t)
	for _, n := range r.nodes() {
		n.Holds(t, lost)
	}
	c, code := r.a.CheckObjects(t)
	if code != 1 || c.Missing != 1 || c.Lost != 0 || c.Findings[0].Site != "east" {
		t.Fatalf("exit %d, %+v", code, c)
	}
	if c, code = r.a.CheckObjects(t, "--repair"); code != 0 || c.Repaired != 1 {
		t.Fatalf("exit %d, %+v", code, c)
	}
	copied(lost)
	r.a.MustBeClean(t)
}

// Where two copies are wanted, a transaction is durable when its file is in both sites, and not before.
func TestDurableWaitsForTheCopies(t *testing.T) {
	r := newRegion(t, map[string]string{"HOLDFAST_ATTACHMENTS_COPIES": "2"})
	s, octets := harness.NewStream(1), harness.Octets(20, 100_000)
	r.west.Set(harness.S3Refuses, 0)
	for seq, attachments := range []string{"", fmt.Sprintf(`,"attachments":[{"sha256":"%s","size":100000,"contentType":"image/jpeg"}]`, harness.SHA256(octets)), ""} {
		body := fmt.Appendf(nil, `{"transactions":[{"id":"%s","seq":%d,"type":"t","occurredAt":"2026-11-20T10:15:00Z","payload":{}%s}]}`, harness.ID(0x21, seq), seq+1, attachments)
		if a := r.a.Must("POST", s.Path("/batches"), body, harness.JSON(harness.ID(0x31, seq))...); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	marks := func(n *harness.Node) [2]int64 {
		a := n.Must("GET", s.Path(""), nil)
		return [2]int64{a.Number("Holdfast-Accepted-Through"), a.Number("Holdfast-Durable-Through")}
	}
	mustPut(t, r.a, octets) // one copy
	for _, n := range r.nodes() {
		if got := marks(n); got != [2]int64{3, 1} {
			t.Fatalf("with one copy %v", got)
		}
	}
	r.west.Set(harness.S3Well, 0)
	harness.Eventually(t, 2*time.Minute, func() error { // the background work sees to it
		for _, n := range r.nodes() {
			if got := marks(n); got != [2]int64{3, 3} {
				return fmt.Errorf("%v", got)
			}
		}
		return nil
	})
	r.a.MustBeClean(t)
}

// With one copy, what a site forgot is missing; the client that still has it brings it back.
func TestTheOnlyCopyIsLost(t *testing.T) {
	r := newRegion(t, nil)
	octets := harness.Octets(8, 300_000)
	r.east.Server.Kill()
	snapshot := r.east.Server.Snapshot(t)
	if err := r.east.Server.Start(); err != nil {
		t.Fatal(err)
	}
	r.settled(t)
	mustPut(t, r.a, octets)
	r.east.Server.Kill()
	r.east.Server.Restore(t, snapshot)
	if err := r.east.Server.Start(); err != nil {
		t.Fatal(err)
	}
	r.settled(t)
	if a := r.b.Must("GET", harness.File(octets), nil); a.Status != 404 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if c, code := r.a.CheckObjects(t); code != 1 || c.Missing != 1 || c.Lost != 1 {
		t.Fatalf("exit %d, %+v", code, c)
	}
	if a, err := harness.Put(r.a, octets); err != nil || a.Status != 201 { // held is not believed where the site says no
		t.Fatalf("%d %v", a.Status, err)
	}
	r.b.Holds(t, octets)
	r.a.MustBeClean(t)
}

// Nodes are killed at every stage of uploads; clients go on at the other one.
func TestNodesAreKilledDuringUploads(t *testing.T) {
	r := newRegion(t, nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	var uploads []*harness.Upload
	var small [][]byte
	var wg sync.WaitGroup
	for i := range 4 {
		up := &harness.Upload{Nodes: r.nodes(), Octets: harness.Octets(uint64(600+i), 16*mib+i), Piece: []int{0, 2 * mib, 5 * mib, 9 * mib}[i], Named: i%2 == 0}
		uploads = append(uploads, up)
		wg.Go(func() { up.Run(t, 2*time.Minute) })
	}
	done := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			octets := harness.Octets(uint64(700+i), 200_000)
			harness.Eventually(t, time.Minute, func() error {
				a, err := harness.Put(r.nodes()[i%2], octets)
				if err == nil && a.Status >= 300 {
					err = fmt.Errorf("%d", a.Status)
				}
				return err
			})
			small = append(small, octets)
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 8 {
		time.Sleep(time.Duration(random.IntN(250)) * time.Millisecond) // any moment is right
		n := r.nodes()[i%2]
		n.Restart()
	}
	close(done)
	wg.Wait()
	for _, n := range r.nodes() {
		for _, up := range uploads {
			n.Holds(t, up.Octets)
		}
		for _, octets := range small {
			n.Holds(t, octets)
		}
	}
	r.a.MustBeClean(t)
	t.Logf("%d small files; the uploads met %v", len(small), uploads[0].Failed)
}

// The same file comes to different nodes and sites at once, in one piece and in several.
func TestTheSameFileAtOnce(t *testing.T) {
	r := newRegion(t, nil)
	for round := range 3 {
		octets := harness.Octets(uint64(800+round), []int{200_000, 6 * mib, 11 * mib}[round])
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if i%2 == 0 {
					mustPut(t, r.nodes()[i/2%2], octets)
					return
				}
				(&harness.Upload{Nodes: r.nodes()[i/2%2:][:1], Octets: octets, Piece: 4 * mib, Named: i%4 == 1}).Run(t, time.Minute)
			})
		}
		wg.Wait()
		for _, n := range r.nodes() {
			n.Holds(t, octets)
		}
	}
	r.a.MustBeClean(t)
	if c, _ := r.a.CheckObjects(t); c.Attachments != 3 {
		t.Errorf("%+v", c)
	}
}

// Who lies about a file leaves nothing, and does not hurt who tells the truth.
func TestClientsThatLie(t *testing.T) {
	r := newRegion(t, map[string]string{"HOLDFAST_ATTACHMENTS_EXPIRY": "2s"})
	truth, lie := harness.Octets(9, 7*mib), harness.Octets(10, 7*mib)
	if a, err := harness.Do(http.MethodPut, r.a.URL+harness.File(truth), lie); err != nil || a.Status != 422 || a.Code() != "digest-mismatch" {
		t.Fatalf("%d %s %v", a.Status, a.Body, err)
	}
	up := &harness.Upload{Nodes: r.nodes(), Octets: truth, Piece: 6 * mib, Named: true}
	for range 2 {
		if _, err := up.Step(); err != nil {
			t.Fatal(err)
		}
	}
	up.Octets = lie // from the middle on
	if _, err := up.Step(); err == nil || !strings.Contains(err.Error(), "digest-mismatch") {
		t.Fatal(err)
	}
	if a := r.a.Must("GET", harness.File(truth), nil); a.Status != 404 {
		t.Fatal(a.Status)
	}
	forgotten := &harness.Upload{Nodes: r.nodes(), Octets: truth, Piece: 6 * mib} // begun, and never gone on with
	for range 2 {
		if _, err := forgotten.Step(); err != nil {
			t.Fatal(err)
		}
	}
	(&harness.Upload{Nodes: r.nodes(), Octets: truth, Piece: 6 * mib, Named: true}).Run(t, time.Minute)
	r.b.Holds(t, truth)
	harness.Eventually(t, 20*time.Second, func() error { // what was begun ends
		r.a.CheckObjects(t, "--repair")
		if _, err := forgotten.Step(); err == nil {
			return fmt.Errorf("the upload is still there")
		}
		if c, code := r.a.CheckObjects(t); code != 0 { // a finished one may just have ended as well
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	for _, site := range []*harness.S3Site{r.east, r.west} {
		if left := site.Server.Leftovers(); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
}

// The embedded store on a disk that is full: 503, nothing half, and it goes on when there is room again.
func TestAFullDiskUnderTheFiles(t *testing.T) {
	n := harness.Start(t, harness.Options{})
	small, large := harness.Octets(11, 100_000), harness.Octets(12, 12*mib)
	mustPut(t, n, small)
	limit := func(bytes uint64) {
		t.Helper()
		var old unix.Rlimit
		if err := unix.Prlimit(n.PID(), unix.RLIMIT_FSIZE, nil, &old); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(n.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: old.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	up := &harness.Upload{Nodes: []*harness.Node{n}, Octets: large, Piece: 3 * mib}
	for range 2 {
		if _, err := up.Step(); err != nil {
			t.Fatal(err)
		}
	}
	limit(2 * mib)
	a, err := harness.Put(n, large)
	if err != nil || a.Status != 503 || a.Number("Retry-After") < 1 {
		t.Fatalf("%d %s %v", a.Status, a.Body, err)
	}
	for range 3 {
		if done, _ := up.Step(); done {
			t.Fatal("finished on a full disk")
		}
	}
	n.Holds(t, small)
	limit(unix.RLIM_INFINITY)
	up.Run(t, 30*time.Second)
	n.Holds(t, large)
	n.MustBeClean(t)
}

// An upload begins at one node, which is killed, and ends at another; then the answer to its last PATCH is lost, and
// whoever asks again learns that the file is there.
func TestAnUploadOutlivesItsNode(t *testing.T) {
	r := newRegion(t, nil)
	octets := harness.Octets(77, 14*mib)
	up := &harness.Upload{Nodes: []*harness.Node{r.a}, Octets: octets, Piece: 6 * mib}
	for range 2 { // creation, and the first six
		if _, err := up.Step(); err != nil {
			t.Fatal(err)
		}
	}
	r.a.Kill()
	tus := []string{"Tus-Resumable", "1.0.0"}
	a := r.b.Must("HEAD", up.Location(), nil, tus...)
	offset := a.Number("Upload-Offset")
	if a.Status != 200 || offset < 5*mib || offset > 6*mib {
		t.Fatalf("%d, offset %d of the 6 MiB that were sent; parts have 5 MiB at least", a.Status, offset)
	}
	proxy := harness.NewProxy(t, strings.TrimPrefix(r.b.URL, "http://"))
	proxy.CutAnswersAfter(1)
	patch := append([]string{"Content-Type", "application/offset+octet-stream", "Upload-Offset", fmt.Sprint(offset)}, tus...)
	if a, err := harness.Do("PATCH", "http://"+proxy.Address+up.Location(), octets[offset:], patch...); err == nil {
		t.Fatalf("the answer %d was not lost", a.Status)
	}
	harness.Eventually(t, 30*time.Second, func() error {
		if a := r.b.Must("HEAD", up.Location(), nil, tus...); a.Status != 200 || a.Number("Upload-Offset") != int64(len(octets)) {
			return fmt.Errorf("%d, offset %d", a.Status, a.Number("Upload-Offset"))
		}
		return nil
	})
	r.b.Holds(t, octets)
	r.b.MustBeClean(t)
}
