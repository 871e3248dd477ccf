package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/middleware"
)

// loadSettings makes settings of an environment, in a folder of the test's own.
func loadSettings(t *testing.T, environ ...string) *settings.Settings {
	t.Helper()
	t.Chdir(t.TempDir())
	s, err := settings.Load(settings.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runDoctor answers the findings by check, and the exit code.
func runDoctor(t *testing.T, environ ...string) (map[string]finding, int) {
	t.Helper()
	t.Chdir(t.TempDir())
	var out, complaints strings.Builder
	code := run([]string{"doctor", "--output", "json"}, &console{out: &out, err: &complaints, environ: environ, now: time.Now})
	var report struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatalf("%v: %s %s", err, out.String(), complaints.String())
	}
	if report.OK != (code == exitDone) {
		t.Errorf("ok is %v with exit code %d", report.OK, code)
	}
	found := map[string]finding{}
	for _, f := range report.Checks {
		found[f.Check] = f
		if f.Status == checkFail && f.Advice == "" {
			t.Errorf("%s fails without advice", f.Check)
		}
	}
	return found, code
}

func TestDoctorOnPostgres(t *testing.T) {
	server := testserver.Postgres(t)
	url := "HOLDFAST_DATABASE_URL=" + server.NewDatabase(t)
	found, code := runDoctor(t, url)
	if code != exitDone || found["database schema"].Detail != "empty; holdfast serve makes it" {
		t.Errorf("an empty database: %d %+v", code, found)
	}
	var out strings.Builder
	con := &console{out: &out, err: &out, environ: []string{url}, now: time.Now}
	if code := run([]string{"migrate", "up"}, con); code != exitDone {
		t.Fatal(out.String())
	}
	found, code = runDoctor(t, url)
	for _, name := range []string{"database", "database schema", "database clock"} {
		if found[name].Status != checkOK {
			t.Errorf("%+v", found[name])
		}
	}
	if !strings.HasPrefix(found["database schema"].Detail, "current, ") {
		t.Errorf("%d %+v", code, found["database schema"])
	}
}

func TestDoctorFindsAnUnsafeDatabase(t *testing.T) {
	for setting, want := range map[string]string{
		"fsync=off":            "fsync is off: a crash of the machine loses what was accepted",
		"full_page_writes=off": "full_page_writes is off: a crash of the machine may damage tables",
	} {
		server := testserver.NewPostgres(t, "fsync=on", "full_page_writes=on", setting)
		f := checkDurability(t.Context(), loadSettings(t, "HOLDFAST_DATABASE_URL="+server.NewDatabase(t)))
		if f.Status != checkFail || f.Detail != want {
			t.Errorf("%s: %+v", setting, f)
		}
	}
}

func TestDoctorOnAClockThatIsWrong(t *testing.T) {
	s := loadSettings(t, "HOLDFAST_DATABASE_URL="+testserver.Postgres(t).NewDatabase(t))
	f := checkClock(t.Context(), s, func() time.Time { return time.Now().Add(-time.Minute) })
	if f.Status != checkFail || !strings.HasPrefix(f.Detail, "differs by 1m0") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorOnRedis(t *testing.T) {
	server := testserver.Redis(t)
	if found, _ := runDoctor(t, "HOLDFAST_REDIS_URL="+server.URL()); found["redis"].Status != checkOK {
		t.Errorf("%+v", found["redis"])
	}
	server.Kill()
	if found, code := runDoctor(t, "HOLDFAST_REDIS_URL="+server.URL()); found["redis"].Status != checkFail || code != exitFailed {
		t.Errorf("%+v", found["redis"])
	}
}

// provider answers discovery with that issuer and keys.
func provider(t *testing.T, issuer func(self string) string, keys string) string {
	t.Helper()
	var self string
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": issuer(self), "jwks_uri": self + "/keys", "authorization_endpoint": self, "token_endpoint": self,
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(keys)) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	self = server.URL
	return self
}

func TestDoctorOnIdentityProviders(t *testing.T) {
	same := func(self string) string { return self }
	for name, c := range map[string]struct {
		issuer func(string) string
		keys   string
		want   string
	}{
		"good":           {same, `{"keys":[{},{}]}`, checkOK},
		"no keys":        {same, `{"keys":[]}`, checkFail},
		"garbage":        {same, `<html>`, checkFail},
		"another issuer": {func(string) string { return "https://id.example.com" }, `{"keys":[{}]}`, checkFail},
	} {
		found, _ := runDoctor(t, "HOLDFAST_AUTH=oidc", "HOLDFAST_AUTH_OIDC_AUDIENCE=a", "HOLDFAST_AUTH_OIDC_ISSUER="+provider(t, c.issuer, c.keys))
		if found["identity provider"].Status != c.want {
			t.Errorf("%s: %+v", name, found["identity provider"])
		}
	}
}

func TestDoctorBesideARunningGateway(t *testing.T) {
	gateway := httptest.NewServer(middleware.Protocol(http.NotFoundHandler()))
	defer gateway.Close()
	f := checkListen(t.Context(), loadSettings(t, "HOLDFAST_LISTEN="+strings.TrimPrefix(gateway.URL, "http://")))
	if f.Status != checkOK || !strings.HasPrefix(f.Detail, "a gateway listens on ") {
		t.Errorf("%+v", f)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if f := checkListen(t.Context(), loadSettings(t, "HOLDFAST_LISTEN="+strings.TrimPrefix(other.URL, "http://"))); f.Status != checkFail {
		t.Errorf("%+v", f)
	}
}

func TestDoctorOnFilesOthersCanRead(t *testing.T) {
	s := loadSettings(t)
	if err := os.MkdirAll(s.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if f := checkPermissions(s, nil); f.Status != checkWarn || f.Advice != "chmod go= "+s.DataDir {
		t.Errorf("%+v", f)
	}
	if err := os.Chmod(s.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f := checkPermissions(s, []string{"HOLDFAST_REDIS_URL_FILE=none"}); f.Status != checkOK {
		t.Errorf("%+v", f)
	}
	if err := os.WriteFile("secret", []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if f := checkPermissions(s, []string{"HOLDFAST_REDIS_URL_FILE=secret"}); f.Status != checkWarn {
		t.Errorf("%+v", f)
	}
}

func TestDoctorOnManyConnections(t *testing.T) {
	s := loadSettings(t, "HOLDFAST_LIMITS_CONNECTIONS=1000000")
	if f := checkDescriptors(s); f.Status != checkWarn || !strings.Contains(f.Advice, "ulimit -n 1000100") {
		t.Errorf("%+v", f)
	}
}
