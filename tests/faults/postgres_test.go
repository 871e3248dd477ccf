package faults_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// own is a PostgreSQL of the test's own with two nodes on it.
func own(t *testing.T, settings ...string) (*testserver.PG, string, []*harness.Node) {
	t.Helper()
	pg := testserver.NewPostgres(t, settings...)
	url := pg.NewDatabase(t)
	return pg, url, []*harness.Node{harness.Start(t, harness.Options{DatabaseURL: url}), harness.Start(t, harness.Options{DatabaseURL: url})}
}

func TestPostgresRestartsAndIsKilledUnderLoad(t *testing.T) {
	pg, _, nodes := own(t)
	devices := fleet(t, nodes, 12, 3, func() {
		for round := range 4 {
			progress(t, nodes[0], 12, 150)
			if round%2 == 0 {
				if err := pg.Stop(); err != nil {
					t.Error(err)
				}
			} else {
				pg.Kill()
			}
			if err := pg.Start(); err != nil {
				t.Error(err)
				return
			}
		}
		progress(t, nodes[1], 12, 60)
	})
	_, seen := total(devices)
	if seen["503 backend-unavailable"]+seen["503 outcome-unknown"] == 0 {
		t.Fatalf("nobody noticed: %v", seen)
	}
	settle(t, nodes, devices, 3)
}

// A silent database is answered for within 10 s, and work goes on by itself.
func TestPostgresHangs(t *testing.T) {
	pg, _, nodes := own(t)
	s := harness.NewStream(1)
	if a := s.Send(nodes[0], harness.ID(1, 1), 1, 3); a.Status != 201 {
		t.Fatal(a.Status)
	}
	pg.Pause()
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			began := time.Now()
			other := harness.NewStream(10 + i)
			method, path, body := "POST", other.Path("/batches"), other.Body(1, 2)
			if i%3 == 0 {
				method, path, body = "GET", s.Path(""), nil
			}
			a, err := harness.Do(method, nodes[i%2].URL+path, body, harness.JSON(harness.ID(2, i))...)
			if err != nil || a.Status != 503 || a.Number("Retry-After") < 1 || a.Code() != "backend-unavailable" && a.Code() != "outcome-unknown" {
				t.Errorf("%v %d %s", err, a.Status, a.Body)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s %s took %s", method, path, took)
			}
		})
	}
	wg.Wait()
	if a := nodes[0].Must("GET", "/healthz", nil); a.Status != 200 {
		t.Errorf("healthz %d", a.Status)
	}
	harness.Eventually(t, 10*time.Second, func() error {
		if err := harness.Get(nodes[0].URL + "/readyz"); err == nil {
			return context.DeadlineExceeded
		}
		return nil
	})
	pg.Resume()
	for _, n := range nodes {
		n.AwaitReady()
	}
	for i := range 24 {
		if other := harness.NewStream(10 + i); i%3 != 0 {
			if a := other.Send(nodes[(i+1)%2], harness.ID(2, i), 1, 2); a.Status != 201 {
				t.Fatalf("afterwards: %d %s", a.Status, a.Body)
			}
			other.Check(t, nodes[i%2], 2)
		}
	}
	s.Check(t, nodes[1], 3)
}

// A disk that is full is told as such by PostgreSQL (SQLSTATE 53100); here a
// trigger says it, since a disk of its own can't be had everywhere.
func TestPostgresIsFull(t *testing.T) {
	pg, url, nodes := own(t)
	s := harness.NewStream(1)
	s.Send(nodes[0], harness.ID(1, 1), 1, 3)
	database := url[strings.LastIndexByte(url, '/')+1 : strings.IndexByte(url, '?')]
	pg.Exec(t, database, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON transactions EXECUTE FUNCTION full_disk()`)
	for i := range 5 {
		if a := s.Send(nodes[i%2], harness.ID(1, 2), 4, 5); a.Status != 503 || a.Code() != "backend-unavailable" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	s.Check(t, nodes[0], 3)
	pg.Exec(t, database, "DROP TRIGGER full_disk ON transactions")
	if a := s.Send(nodes[0], harness.ID(1, 2), 4, 5); a.Status != 201 || a.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Check(t, nodes[1], 5)
}

// The connection between node and database is cut at every stage; a retry of
// the same request settles what became of it.
func TestTheDatabaseConnectionIsCut(t *testing.T) {
	pg := testserver.Postgres(t)
	url := pg.NewDatabase(t)
	straight := harness.Start(t, harness.Options{DatabaseURL: url})
	proxy := harness.NewProxy(t, strings.TrimPrefix(url[:strings.LastIndexByte(url, '/')], "postgres://postgres@"))
	n := harness.Start(t, harness.Options{DatabaseURL: "postgres://postgres@" + proxy.Address + url[strings.LastIndexByte(url, '/'):]})
	s := harness.NewStream(1)
	seen := map[string]int{}
	at := int64(1)
	for round := range 60 {
		proxy.CutAnswersAfter(int64(300 + round*23))
		proxy.CutAll()
		a := s.Send(n, harness.ID(1, round), at, at+1)
		seen[a.Code()]++
		if a.Status != 201 && (a.Status != 503 || a.Code() != "backend-unavailable" && a.Code() != "outcome-unknown") {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		held := straight.Must("GET", s.Path(""), nil).Number("Holdfast-Accepted-Through")
		if a.Code() == "backend-unavailable" && held != at-1 {
			t.Fatalf("nothing was stored, it said, and %d are held", held)
		}
		if retry := s.Send(straight, harness.ID(1, round), at, at+1); retry.Status != 201 {
			t.Fatalf("the retry: %d %s", retry.Status, retry.Body)
		}
		at += 2
	}
	if seen["backend-unavailable"]+seen["outcome-unknown"] == 0 {
		t.Fatalf("no cut was noticed: %v", seen)
	}
	t.Logf("answers: %v", seen)
	proxy.CutAnswersAfter(-1)
	proxy.CutAll()
	s.Check(t, straight, at-1)
	harness.Eventually(t, 10*time.Second, func() error { return harness.Get(n.URL + "/readyz") })
	s.Check(t, n, at-1)
}

// A row that somebody holds: the first request hangs, the second copy is told
// that it is being worked on, and the first one is finished in the end.
func TestRequestInProgress(t *testing.T) {
	_, url, nodes := own(t)
	s := harness.NewStream(1)
	s.Send(nodes[0], harness.ID(1, 1), 1, 2)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	watch, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT * FROM streams WHERE id = $1 FOR UPDATE", s.ID.String()); err != nil {
		t.Fatal(err)
	}
	first := make(chan harness.Answer)
	go func() {
		a, _ := harness.Do("POST", nodes[0].URL+s.Path("/batches"), s.Body(3, 4), harness.JSON(harness.ID(1, 2))...)
		first <- a
	}()
	harness.Eventually(t, 3*time.Second, func() error {
		var waiting int
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&waiting)
		if err == nil && waiting == 0 {
			err = context.DeadlineExceeded
		}
		return err
	})
	a := s.Send(nodes[0], harness.ID(1, 2), 3, 4)
	if a.Status != 409 || a.Code() != "request-in-progress" || a.Number("Retry-After") < 1 || a.Number("Holdfast-Accepted-Through") != 2 {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-first; a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Check(t, nodes[1], 4)
}

// A gateway that starts while its database is away waits for it.
func TestTheDatabaseComesLate(t *testing.T) {
	pg := testserver.NewPostgres(t)
	url := pg.NewDatabase(t)
	pg.Kill()
	n := harness.Start(t, harness.Options{DatabaseURL: url, Unready: true})
	harness.Eventually(t, 10*time.Second, func() error { return harness.Get(n.URL + "/healthz") })
	s := harness.NewStream(1)
	if a := s.Send(n, harness.ID(1, 1), 1, 1); a.Status != 503 || a.Code() != "backend-unavailable" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if err := pg.Start(); err != nil {
		t.Fatal(err)
	}
	n.AwaitReady()
	if a := s.Send(n, harness.ID(1, 1), 1, 1); a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
}
