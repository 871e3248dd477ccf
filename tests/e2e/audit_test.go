package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/tests/harness"
)

// events asks for the audit events of a query, until there are as many as wanted.
func events(t *testing.T, n *harness.Node, query string, want int, header ...string) []map[string]any {
	t.Helper()
	var page struct{ Events []map[string]any }
	harness.Eventually(t, 10*time.Second, func() error {
		a := n.Must("GET", "/v1/audit/events?"+query, nil, header...)
		page.Events = nil
		if err := json.Unmarshal(a.Body, &page); err != nil || a.Status != 200 {
			return fmt.Errorf("%d %s %w", a.Status, a.Body, err)
		}
		if len(page.Events) < want {
			return fmt.Errorf("%d events of %d: %s", len(page.Events), want, a.Body)
		}
		return nil
	})
	if len(page.Events) != want {
		t.Fatalf("%s: %d events, want %d: %v", query, len(page.Events), want, page.Events)
	}
	return page.Events
}

// What happened to a stream is told by any node, in order, under the context of who did it.
func TestAuditTellsTheStoryOfAStream(t *testing.T) {
	schema := `{"type":"object","required":["sku"]}`
	harness.EachStore(t, 2, harness.Options{
		Config: "schemas:\n  types:\n    - {type: pick, file: pick.json}\n", Files: map[string]string{"pick.json": schema},
	}, func(t *testing.T, c *harness.Cluster) {
		n, other := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
		context := []string{"X-Store-Id", "0042", "X-Device-Id", "d1", "X-Session-Id", "session-1", "X-User-Id", "u1", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
		send := func(correlation int, body string) harness.Answer {
			return n.Must("POST", "/v1/streams/"+harness.ID(1, 1).String()+"/batches", []byte(body), append(harness.JSON(harness.ID(2, correlation)), context...)...)
		}
		tx := func(seq int, payload string) string {
			return fmt.Sprintf(`{"id":%q,"seq":%d,"type":"pick","occurredAt":"2026-11-20T10:15:00.5+01:00","payload":%s}`, harness.ID(3, seq), seq, payload)
		}
		good, bad := `{"sku":"x"}`, `{"password":"Canary7Pass"}`
		for i, c := range []struct {
			body   string
			status int
		}{
			{tx(1, good) + "," + tx(2, bad), 201}, {tx(1, good) + "," + tx(2, bad), 201} /* the same again */, {tx(2, bad) + "," + tx(3, good), 201}, {tx(9, good), 409},
		} {
			if a := send(max(i, 1), `{"transactions":[`+c.body+`]}`); a.Status != c.status {
				t.Fatalf("%d: %d %s", i, a.Status, a.Body)
			}
		}
		story := events(t, other, "session=session-1", 7)
		var told []string
		for _, e := range story {
			told = append(told, fmt.Sprint(e["action"], " ", e["outcome"]))
			if e["storeId"] != "0042" || e["deviceId"] != "d1" || e["userId"] != "u1" || e["traceId"] != "4bf92f3577b34da6a3ce929d0e0e4736" || e["address"] == nil || e["node"] == nil {
				t.Errorf("%v", e)
			}
		}
		for action, want := range map[string]int{
			"transaction.accepted success": 2, "transaction.quarantined failure": 1, "transaction.duplicate success": 1, "batch.replayed success": 1, "request.refused failure": 1, "session.started success": 1,
		} {
			if got := strings.Count(strings.Join(told, "\n"), action); got < want {
				t.Errorf("%d of %s: %v", got, action, told)
			}
		}
		for query, want := range map[string]int{
			"action=transaction.accepted": 2, "outcome=failure&store=0042": 2, "code=sequence-gap": 1, "code=schema-violation&device=d1": 1, "stream=" + harness.ID(1, 1).String() + "&seq=3": 1,
			"correlation=" + harness.ID(2, 3).String(): 1, "trace=4bf92f3577b34da6a3ce929d0e0e4736&user=u1": 7, "q=SCHEMA-VIOL&action=transaction.quarantined": 1, "store=none": 0, "until=2020-01-01T00:00:00Z": 0, "actorKind=anonymous&actor=d1": 7, "transaction=" + harness.ID(3, 3).String(): 1,
		} {
			events(t, other, query, want)
		}
		a := other.Must("GET", "/v1/audit/timeline?transaction="+harness.ID(3, 2).String(), nil)
		if a.Status != 200 || strings.Count(string(a.Body), `"action":"transaction.`) != 3 || strings.Contains(string(a.Body), "Canary7Pass") || !strings.Contains(string(a.Body), `"seq":2`) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		day := time.Now().UTC().Format(time.DateOnly)
		for format, kind := range map[string]string{"json": "application/json", "csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8"} {
			a := other.Must("GET", "/v1/audit/reports/daily?date="+day+"&store=0042&format="+format, nil)
			if a.Status != 200 || a.Header.Get("Content-Type") != kind || !strings.Contains(string(a.Body), "sequence-gap") || !strings.Contains(string(a.Body), "0042") {
				t.Errorf("%s: %d %v %s", format, a.Status, a.Header, a.Body)
			}
		}
		if a := other.Must("GET", "/v1/audit/events?session=session-1", nil, "Accept", "application/x-ndjson"); a.Status != 200 || strings.Count(string(a.Body), "\n") != 7 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if a := other.Must("GET", "/v1/audit/events?session=session-1&format=csv", nil); a.Status != 200 || strings.Count(string(a.Body), "\n") != 8 || !strings.HasPrefix(string(a.Body), "at,action,") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if strings.Contains(n.Log()+other.Log(), "Canary7Pass") {
			t.Error("the log tells what was quarantined")
		}
	})
}

func TestAuditRefusesWrongQuestions(t *testing.T) {
	n := harness.Start(t, harness.Options{})
	for path, parameter := range map[string]string{
		"/v1/audit/events?stor=1": "stor", "/v1/audit/events?since=yesterday": "since", "/v1/audit/events?outcome=maybe": "outcome", "/v1/audit/events?limit=0": "limit", "/v1/audit/events?limit=1001": "limit",
		"/v1/audit/events?cursor=x": "cursor", "/v1/audit/events?order=up": "order", "/v1/audit/events?stream=1": "stream", "/v1/audit/events?seq=1": "seq", "/v1/audit/events?format=xml": "format",
		"/v1/audit/events?format=csv&limit=1": "format", "/v1/audit/events?store=a&store=b": "store", "/v1/audit/timeline": "session", "/v1/audit/timeline?session=a&correlation=b": "session",
		"/v1/audit/timeline?transaction=1": "transaction", "/v1/audit/reports/daily": "date", "/v1/audit/reports/daily?date=2026-02-30": "date", "/v1/audit/reports/daily?date=2026-11-20&format=pdf": "format",
	} {
		a := n.Must("GET", path, nil)
		if a.Status != 400 || a.Code() != "invalid-request" || !strings.Contains(string(a.Body), `"parameter":"`+parameter+`"`) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}

// Auditors may ask, others may not; that they tried is itself recorded.
func TestAuditNeedsItsScope(t *testing.T) {
	n := harness.Start(t, harness.Options{Env: map[string]string{"HOLDFAST_AUTH": "token"}})
	secret := func(scope string) []string {
		out, errs, code := n.Command("token", "create", "--name", scope, "--scope", scope)
		if code != 0 {
			t.Fatal(errs)
		}
		return []string{"Authorization", "Bearer " + strings.TrimSpace(out)}
	}
	auditor, device, operator := secret("auditor"), secret("device"), secret("operator")
	for _, path := range []string{"/v1/audit/events", "/v1/audit/timeline?session=a", "/v1/audit/reports/daily?date=2026-11-20"} {
		if a := n.Must("GET", path, nil); a.Status != 401 {
			t.Errorf("%s without credentials: %d", path, a.Status)
		}
		for _, scope := range []string{"device", "operator"} {
			if a := n.Must("GET", path, nil, map[string][]string{"device": device, "operator": operator}[scope]...); a.Status != 403 {
				t.Errorf("%s as %s: %d", path, scope, a.Status)
			}
		}
		if a := n.Must("GET", path, nil, auditor...); a.Status != 200 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	if e := events(t, n, "action=database.migrated", 1, auditor...)[0]; e["actorKind"] != "operator" || e["targetKind"] != "database" {
		t.Error(e)
	}
	denied := events(t, n, "action=access.denied&outcome=denied&code=forbidden&actorKind=device", 3, auditor...)
	if denied[0]["target"] == "" || denied[0]["actorScope"] != "device" {
		t.Error(denied[0])
	}
	made := events(t, n, "action=token.created&actorKind=operator", 3, auditor...)
	if made[0]["targetKind"] != "token" {
		t.Error(made[0])
	}
}

// Hours are sealed into every site; who changes the database by hand is found out.
func TestAuditIsSealedAndVerified(t *testing.T) {
	pg := testserver.Postgres(t)
	database := pg.NewDatabase(t)
	east, west := testserver.S3(t), t.TempDir()
	sites := "east=" + east.URL() + ",west=file://" + west
	dir := t.TempDir()
	if out, errs, code := harness.Command(t, dir, nil, "audit", "key", "--to", "sealing.key"); code != 0 {
		t.Fatal(out, errs)
	}
	env := map[string]string{"HOLDFAST_OBJECT_STORES": sites, "HOLDFAST_AUDIT_SEALING_KEY_FILE": dir + "/sealing.key"}
	n := harness.Start(t, harness.Options{DatabaseURL: database, Env: env})
	s := harness.NewStream(1)
	if a := s.Send(n, harness.ID(2, 1), 1, 5); a.Status != 201 {
		t.Fatal(a.Status, string(a.Body))
	}
	n.Kill()
	name := database[strings.LastIndexByte(database, '/')+1 : strings.IndexByte(database, '?')]
	// The owner makes it three hours ago: the triggers have to be switched off for that.
	tamper := func(statement string) {
		t.Helper()
		pg.Exec(t, name, "SET session_replication_role = replica; "+statement)
	}
	tamper("UPDATE audit_events SET at = at - interval '3 hours'")
	n.Restart() // seals at once
	verify := func() (string, int) {
		list := []string{"HOLDFAST_DATABASE_URL=" + database}
		for name, value := range env {
			list = append(list, name+"="+value)
		}
		out, errs, code := harness.Command(t, dir, list, "audit", "verify", "--output", "json")
		if errs != "" {
			t.Fatal(errs)
		}
		return out, code
	}
	harness.Eventually(t, 20*time.Second, func() error {
		out, code := verify()
		if code != 0 || strings.Contains(out, `"segments": 0`) {
			return errors.New(out)
		}
		return nil
	})
	tamper("UPDATE audit_events SET shop = '0666' WHERE action = 'transaction.accepted'")
	if out, code := verify(); code != 1 || !strings.Contains(out, `"changed"`) || !strings.Contains(out, `"hour"`) {
		t.Fatal(code, out)
	}
	tamper("DELETE FROM audit_events WHERE action = 'transaction.accepted'")
	if out, code := verify(); code != 1 || !strings.Contains(out, `"removed"`) {
		t.Fatal(code, out)
	}
	if strings.Contains(n.Log(), testserver.S3Secret) {
		t.Error("the log tells the secret")
	}
	// Without a site there is no verdict.
	east.Kill()
	if out, errs, code := harness.Command(t, dir, []string{"HOLDFAST_DATABASE_URL=" + database, "HOLDFAST_OBJECT_STORES=" + sites, "HOLDFAST_AUDIT_SEALING_KEY_FILE=" + dir + "/sealing.key"}, "audit", "verify"); code != 1 || !strings.Contains(errs, "not everything could be looked at") {
		t.Fatal(code, out, errs)
	}
}

// An export of any size needs no more memory than a small one.
func TestAuditExportsInConstantMemory(t *testing.T) {
	pg := testserver.Postgres(t)
	database := pg.NewDatabase(t)
	n := harness.Start(t, harness.Options{DatabaseURL: database})
	before := harness.PeakMemory(n.PID())
	const rows = 200_000 // about 100 MB of NDJSON
	pg.Exec(t, database[strings.LastIndexByte(database, '/')+1:strings.IndexByte(database, '?')], fmt.Sprintf(
		`INSERT INTO audit_events (at, id, action, outcome, epoch, shop, details) SELECT now() - i * interval '1 ms', gen_random_uuid(), 'request.refused', 'failure', 1, '0042', '{"x":"' || repeat('y', 300) || '"}' FROM generate_series(1, %d) i; ANALYZE audit_events`, rows)) // as autovacuum does
	for _, format := range []string{"ndjson", "csv"} {
		res, err := http.Get(n.URL + "/v1/audit/events?store=0042&format=" + format)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReaderSize(res.Body, 64<<10)
		count := 0
		for {
			if _, err := lines.ReadSlice('\n'); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			count++
		}
		_ = res.Body.Close()
		if format == "csv" {
			count-- // the heading
		}
		if count != rows {
			t.Fatalf("%s: %d events of %d", format, count, rows)
		}
	}
	if grown := harness.PeakMemory(n.PID()) - before; grown > 100<<20 {
		t.Fatalf("the peak grew by %d MiB", grown>>20)
	}
}
