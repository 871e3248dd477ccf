package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// inFolder writes holdfast.yaml into a new folder and goes there.
func inFolder(t *testing.T, yaml string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if yaml != "" {
		write(t, "holdfast.yaml", yaml)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, src settings.Sources) *settings.Settings {
	t.Helper()
	s, err := settings.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	inFolder(t, "")
	s := load(t, settings.Sources{})
	if s.Listen != "127.0.0.1:8080" || s.DataDir != "./holdfast-data" || s.Ring != "local" || s.Auth.Mode != "open" ||
		s.Limits.MaxBytes != 4<<20 || s.Limits.MaxTransactions != 1000 || s.Limits.DrainTimeout != 30*time.Second ||
		s.Schemas.Unregistered != "accept" || s.Log.Format != "auto" || !s.Embedded() || s.File != "" || s.Dir() != "." {
		t.Errorf("%+v", s)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	inFolder(t, "listen: 127.0.0.1:1\nring: from-file\nlimits: {maxTransactions: 1}\nlog:\n  level: warn\n")
	s := load(t, settings.Sources{
		Environ: []string{"PATH=/bin", "HOLDFAST_LISTEN=127.0.0.1:2", "HOLDFAST_RING=from-env", "HOLDFAST_LIMITS_MAX_TRANSACTIONS="},
		Flags:   []settings.Flag{{Key: "listen", Name: "--listen", Text: "127.0.0.1:3"}},
	})
	if s.Listen != "127.0.0.1:3" || s.Ring != "from-env" || s.Limits.MaxTransactions != 1 || s.Log.Level != "warn" {
		t.Errorf("%+v", s)
	}
	want := map[string]string{
		"listen": "--listen", "ring": "HOLDFAST_RING", "limits.maxTransactions": "holdfast.yaml:3",
		"log.level": "holdfast.yaml:5", "dataDir": "default", "schemas.types": "default",
	}
	for _, v := range s.Effective() {
		if w, ok := want[v.Setting]; ok && v.Source != w {
			t.Errorf("%s is from %s, want %s", v.Setting, v.Source, w)
		}
	}
}

func TestConfigFileIsFoundByFlagThenVariableThenName(t *testing.T) {
	inFolder(t, "ring: by-name\n")
	write(t, "flag.yaml", "ring: by-flag\n")
	write(t, "variable.yaml", "ring: by-variable\n")
	variable := []string{"HOLDFAST_CONFIG=variable.yaml"}
	for want, src := range map[string]settings.Sources{
		"by-flag": {Config: "flag.yaml", Environ: variable}, "by-variable": {Environ: variable}, "by-name": {},
	} {
		if s := load(t, src); s.Ring != want {
			t.Errorf("%s, want %s", s.Ring, want)
		}
	}
}

func TestWholeFile(t *testing.T) {
	inFolder(t, "")
	if err := os.Mkdir("etc", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "etc/h.yaml", `# a comment
listen: 0.0.0.0:443
dataDir: /var/lib/holdfast
databaseUrl: postgres://h:pa%2Fss@db1:5432,db2:5433/holdfast?sslmode=require
redisUrl: rediss://:secret@cache:6380/2
ring: east-1
trustedProxies: 10.0.0.0/8, ::1/128
auth:
  mode: oidc
  oidc:
    issuer: https://id.example.com/realm
    audience: holdfast
    claims: {scope: hf_scope, device: did, store: sid, user: uid}
limits:
  maxBytes: 64KiB
  maxTransactions: 50
  requestsPerMinute: 120
  inFlightBytes: 1GiB
  connections: 10
  requests: 20
  drainGrace: 0s
  drainTimeout: 1m30s
schemas:
  unregistered: quarantine
  types:
    - {type: pick.completed, version: 3, file: a.json}
    - type: count
      file: b.json
log: {level: debug, format: json}
`)
	s := load(t, settings.Sources{Config: "etc/h.yaml"})
	if s.Auth.OIDC.Claims.Store != "sid" || s.Limits.MaxBytes != 64<<10 || s.Limits.DrainTimeout != 90*time.Second || s.RequestsPerMinute() != 120 {
		t.Errorf("%+v", s)
	}
	if p := s.Proxies(); len(p) != 2 || p[1] != "::1/128" {
		t.Error(p)
	}
	if len(s.Schemas.Types) != 2 || s.Schemas.Types[0] != (settings.SchemaType{Type: "pick.completed", Version: 3, File: "a.json"}) || s.Schemas.Types[1].Version != 0 {
		t.Errorf("%+v", s.Schemas)
	}
	if s.Dir() != "etc" || s.Embedded() {
		t.Error(s.Dir())
	}
}

func TestRequestsPerMinuteFollowsAuth(t *testing.T) {
	inFolder(t, "")
	for env, want := range map[string]int64{
		"HOLDFAST_AUTH=open": 0, "HOLDFAST_AUTH=token": 6000,
		"HOLDFAST_LIMITS_REQUESTS_PER_MINUTE=off": 0, "HOLDFAST_LIMITS_REQUESTS_PER_MINUTE=7": 7,
	} {
		if got := load(t, settings.Sources{Environ: []string{env}}).RequestsPerMinute(); got != want {
			t.Errorf("%s: %d, want %d", env, got, want)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	inFolder(t, "")
	write(t, "url", "postgres://h:secret@db/holdfast\n")
	s := load(t, settings.Sources{Environ: []string{"HOLDFAST_DATABASE_URL_FILE=url"}})
	if s.DatabaseURL != "postgres://h:secret@db/holdfast" {
		t.Error("not read")
	}
}

// What others put into the environment must not stop a start.
func TestForeignVariables(t *testing.T) {
	inFolder(t, "")
	load(t, settings.Sources{Environ: []string{
		"HOLDFAST_SERVICE_HOST=10.0.0.1", "HOLDFAST_SERVICE_PORT=8080", "HOLDFAST_SERVICE_PORT_HTTP=8080", "HOLDFAST_PORT=tcp://10.0.0.1:8080",
		"HOLDFAST_PORT_8080_TCP=tcp://10.0.0.1:8080", "HOLDFAST_PORT_8080_TCP_ADDR=10.0.0.1", "HOLDFAST_PG_SERVICE_HOST=10.0.0.2",
		"HOLDFAST_URL=http://127.0.0.1:8080", "HOLDFAST_TOKEN=secret",
	}})
}

// Every line names the setting, where its value came from, and what to do.
func TestOneClearLine(t *testing.T) {
	type c struct {
		yaml string
		env  []string
		flag settings.Flag
		want string
	}
	for name, c := range map[string]c{
		"unknown name":            {yaml: "listne: x\n", want: "holdfast.yaml:1: listne: is no setting; did you mean listen?"},
		"unknown name in section": {yaml: "limits:\n  maxByte: 1\n", want: "holdfast.yaml:2: limits.maxByte: is no setting; did you mean limits.maxBytes?"},
		"unknown and far":         {yaml: "zzzzzzzzzzzz: 1\n", want: "holdfast.yaml:1: zzzzzzzzzzzz: is no setting"},
		"unknown variable":        {env: []string{"HOLDFAST_DATABSE_URL=postgres://u:secret@h/d"}, want: "HOLDFAST_DATABSE_URL: is no setting; did you mean HOLDFAST_DATABASE_URL?"},
		"unknown flag":            {flag: settings.Flag{Key: "ringg", Name: "--set ringg"}, want: "--set ringg: ringg is no setting; did you mean ring?"},
		"list by flag":            {flag: settings.Flag{Key: "schemas.types", Name: "--set schemas.types"}, want: "--set schemas.types: schemas.types can be given in the file only"},
		"given twice":             {yaml: "ring: a\n\nring: b\n", want: "holdfast.yaml:3: ring: is given twice; remove one"},
		"no value":                {yaml: "ring:\n", want: "holdfast.yaml:1: ring: has no value; remove the line or give one"},
		"a list for a value":      {yaml: "ring: [a]\n", want: "holdfast.yaml:1: ring: must be one value"},
		"a value for a section":   {yaml: "limits: 3\n", want: "holdfast.yaml:1: limits: must be a section with names below it"},
		"an alias":                {yaml: "ring: &r a\nsite: *r\n", want: "holdfast.yaml:2: site: must be one value"},
		"not YAML":                {yaml: "ring: [\n", want: "holdfast.yaml: is not YAML: line "},
		"not a mapping":           {yaml: "- a\n", want: "holdfast.yaml:1: must be names with values, for example listen: 127.0.0.1:8080"},
		"two documents":           {yaml: "ring: a\n---\nring: b\n", want: "holdfast.yaml: must hold one document and nothing behind it"},
		"no such file":            {env: []string{"HOLDFAST_CONFIG=none.yaml"}, want: "HOLDFAST_CONFIG: the configuration file can't be read: open none.yaml: no such file or directory"},

		"size":           {yaml: "limits: {maxBytes: 4 bananas}", want: "holdfast.yaml:1: limits.maxBytes: must be a number of bytes, for example 512, 64KiB or 4MiB"},
		"size too large": {yaml: "limits: {maxBytes: 9007199254740993GiB}", want: "holdfast.yaml:1: limits.maxBytes: must be a number of bytes"},
		"size too small": {env: []string{"HOLDFAST_LIMITS_MAX_BYTES=1"}, want: "HOLDFAST_LIMITS_MAX_BYTES: must be at least 1KiB"},
		"number":         {env: []string{"HOLDFAST_LIMITS_CONNECTIONS=many"}, want: "HOLDFAST_LIMITS_CONNECTIONS: must be a whole number"},
		"too many":       {env: []string{"HOLDFAST_LIMITS_MAX_TRANSACTIONS=100001"}, want: "HOLDFAST_LIMITS_MAX_TRANSACTIONS: must be at most 100000"},
		"duration":       {yaml: "limits: {drainTimeout: 30}", want: "holdfast.yaml:1: limits.drainTimeout: must be a duration, for example 500ms, 30s or 5m"},
		"rate":           {yaml: "limits: {requestsPerMinute: 0}", want: "holdfast.yaml:1: limits.requestsPerMinute: must be auto, off or a number of requests a minute"},
		"enum":           {env: []string{"HOLDFAST_AUTH=tokn"}, want: `HOLDFAST_AUTH: must be one of open, token, oidc, not "tokn"`},
		"auth in short":  {yaml: "auth: tokn", want: `holdfast.yaml:1: auth.mode: must be one of open, token, oidc, not "tokn"`},
		"overridden but wrong": {
			yaml: "log: {level: loud}", env: []string{"HOLDFAST_LOG_LEVEL=info"},
			want: `holdfast.yaml:1: log.level: must be one of debug, info, warn, error, not "loud"`,
		},
		"control characters": {yaml: `ring: "a\nb"`, want: "holdfast.yaml:1: ring: must not hold control characters"},

		"listen":           {flag: settings.Flag{Key: "listen", Name: "--listen", Text: "8080"}, want: `--listen: must be one host:port, for example 127.0.0.1:8080, not "8080"`},
		"two listeners":    {env: []string{"HOLDFAST_LISTEN=127.0.0.1:1,127.0.0.1:2"}, want: `HOLDFAST_LISTEN: must be one host:port`},
		"port":             {env: []string{"HOLDFAST_LISTEN=127.0.0.1:http"}, want: `HOLDFAST_LISTEN: must have a port from 0 to 65535, not "http"`},
		"open to all":      {env: []string{"HOLDFAST_LISTEN=:8080"}, want: `HOLDFAST_LISTEN: ":8080" can be reached from outside, where auth open lets anybody in; set HOLDFAST_AUTH to token or oidc, or listen on 127.0.0.1:8080`},
		"open on IPv6":     {env: []string{"HOLDFAST_LISTEN=[::]:8080"}, want: `HOLDFAST_LISTEN: "[::]:8080" can be reached from outside`},
		"data directory":   {yaml: `dataDir: ""`, want: "holdfast.yaml:1: dataDir: must name a folder, for example ./holdfast-data"},
		"another database": {env: []string{"HOLDFAST_DATABASE_URL=mysql://u:secret@h/d"}, want: "HOLDFAST_DATABASE_URL: must begin with postgres://; leave it empty for the embedded database"},
		"database words":   {env: []string{"HOLDFAST_DATABASE_URL=host=h password=secret"}, want: "HOLDFAST_DATABASE_URL: must begin with postgres://"},
		"raw password":     {env: []string{"HOLDFAST_DATABASE_URL=postgres://u:sec/ret@h/d"}, want: "HOLDFAST_DATABASE_URL: has an @ behind its host; write special characters of the password as %2F, %40 and so on"},
		"bad port":         {env: []string{"HOLDFAST_DATABASE_URL=postgres://u:secret@h:1,i:x/d"}, want: "HOLDFAST_DATABASE_URL: can't be read; write postgres://"},
		"both": {
			env:  []string{"HOLDFAST_DATABASE_URL=postgres://h/d", "HOLDFAST_DATABASE_URL_FILE=f"},
			want: "HOLDFAST_DATABASE_URL_FILE: HOLDFAST_DATABASE_URL and HOLDFAST_DATABASE_URL_FILE are both given; remove one",
		},
		"no secret":       {env: []string{"HOLDFAST_REDIS_URL_FILE=none"}, want: "HOLDFAST_REDIS_URL_FILE: names a file that can't be read: open none: no such file or directory"},
		"redis":           {env: []string{"HOLDFAST_REDIS_URL=127.0.0.1:6379"}, want: "HOLDFAST_REDIS_URL: must begin with redis:// or rediss://; leave it empty to work without Redis"},
		"two redises":     {env: []string{"HOLDFAST_REDIS_URL=redis://:secret@a:1,b:2/0"}, want: "HOLDFAST_REDIS_URL: names several hosts; name one"},
		"redis database":  {env: []string{"HOLDFAST_REDIS_URL=redis://:secret@a:1/x"}, want: "HOLDFAST_REDIS_URL: must have the number of a database as its path, for example /0"},
		"redis no host":   {env: []string{"HOLDFAST_REDIS_URL=redis://:secret@/0"}, want: "HOLDFAST_REDIS_URL: can't be read; write redis://"},
		"ring":            {env: []string{"HOLDFAST_RING=east 1"}, want: "HOLDFAST_RING: must be a name of up to 64 letters"},
		"proxies":         {env: []string{"HOLDFAST_TRUSTED_PROXIES=10.0.0.0/8,proxy"}, want: `HOLDFAST_TRUSTED_PROXIES: must be networks such as 10.0.0.0/8 or 192.168.1.7/32, with commas between them, not "proxy"`},
		"standbys":        {env: []string{"HOLDFAST_DURABLE_STANDBYS=west"}, want: "HOLDFAST_DURABLE_STANDBYS: is not supported by this version; remove it"},
		"short retention": {env: []string{"HOLDFAST_AUDIT_RETENTION=47h"}, want: "HOLDFAST_AUDIT_RETENTION: must be 0s or at least 48h"},
		"site":            {yaml: "site: east", want: "holdfast.yaml:1: site: must be one of objectStores, not \"east\""},
		"sites":           {env: []string{"HOLDFAST_OBJECT_STORES=east=ftp://secret@h/b"}, want: "HOLDFAST_OBJECT_STORES: site east: the URL must begin with s3:// or file:///"},
		"copies":          {env: []string{"HOLDFAST_ATTACHMENTS_COPIES=2"}, want: "HOLDFAST_ATTACHMENTS_COPIES: must be at most the number of sites, 1"},
		"file types":      {env: []string{"HOLDFAST_ATTACHMENTS_TYPES=image/*,jpeg"}, want: "HOLDFAST_ATTACHMENTS_TYPES: must be media types in lower case such as image/* or application/pdf, with commas between them, not \"jpeg\""},
		"file sizes":      {yaml: "attachments: {maxBytes: 1MiB, maxPutBytes: 2MiB}", want: "holdfast.yaml:1: attachments.maxPutBytes: must be at most attachments.maxBytes, 1MiB"},
		"spool":           {yaml: "attachments: {maxPutBytes: 1GiB, spoolBytes: 512MiB}", want: "holdfast.yaml:1: attachments.spoolBytes: must be at least attachments.maxPutBytes, 1GiB"},
		"expiry":          {yaml: "attachments: {expiry: 10ms}", want: "holdfast.yaml:1: attachments.expiry: must be at least 1s"},
		"oidc and token":  {yaml: "auth: {mode: token, oidc: {issuer: 'https://x'}}", want: "holdfast.yaml:1: auth.oidc.issuer: is given, but auth is token; set HOLDFAST_AUTH to oidc or remove it"},
		"no issuer":       {env: []string{"HOLDFAST_AUTH=oidc"}, want: "HOLDFAST_AUTH: oidc needs an issuer; set HOLDFAST_AUTH_OIDC_ISSUER to the identity provider's URL"},
		"no audience":     {env: []string{"HOLDFAST_AUTH=oidc", "HOLDFAST_AUTH_OIDC_ISSUER=https://x"}, want: "HOLDFAST_AUTH: oidc needs an audience"},
		"issuer":          {env: []string{"HOLDFAST_AUTH=oidc", "HOLDFAST_AUTH_OIDC_ISSUER=https://u:secret@x"}, want: "HOLDFAST_AUTH_OIDC_ISSUER: must be a URL without user"},
		"issuer in clear": {env: []string{"HOLDFAST_AUTH=oidc", "HOLDFAST_AUTH_OIDC_ISSUER=http://id.example.com"}, want: "HOLDFAST_AUTH_OIDC_ISSUER: must begin with https://"},
		"no scope claim":  {yaml: "auth: {mode: oidc, oidc: {issuer: 'https://x', audience: a, claims: {scope: ''}}}", want: "holdfast.yaml:1: auth.oidc.claims.scope: must name a claim"},
		"in flight":       {env: []string{"HOLDFAST_LIMITS_IN_FLIGHT_BYTES=1MiB"}, want: "HOLDFAST_LIMITS_IN_FLIGHT_BYTES: 1MiB is less than four times limits.maxBytes, 4MiB"},

		"metrics listen":        {env: []string{"HOLDFAST_METRICS_LISTEN=9090"}, want: `HOLDFAST_METRICS_LISTEN: must be one host:port, for example 127.0.0.1:9090, not "9090"`},
		"metrics open to all":   {env: []string{"HOLDFAST_METRICS_LISTEN=:9090"}, want: `HOLDFAST_METRICS_LISTEN: ":9090" can be reached from outside; set HOLDFAST_METRICS_TOKEN, or listen on 127.0.0.1`},
		"metrics token short":   {env: []string{"HOLDFAST_METRICS_LISTEN=:9090", "HOLDFAST_METRICS_TOKEN=secret@"}, want: "HOLDFAST_METRICS_TOKEN: must be at least 16 letters, digits or -._~+/="},
		"metrics token spaces":  {env: []string{"HOLDFAST_METRICS_LISTEN=:9090", "HOLDFAST_METRICS_TOKEN=secret@ secret@ secret@"}, want: "HOLDFAST_METRICS_TOKEN: must be at least 16 letters"},
		"metrics token alone":   {env: []string{"HOLDFAST_METRICS_TOKEN=secret@secret@secret@"}, want: "HOLDFAST_METRICS_TOKEN: is given, but metrics.listen is not; set HOLDFAST_METRICS_LISTEN or remove it"},
		"graphite":              {yaml: "metrics: {graphite: {address: 'http://graphite:2003'}}", want: `holdfast.yaml:1: metrics.graphite.address: must be one host:port, for example graphite:2003, not "http://graphite:2003"`},
		"graphite port":         {env: []string{"HOLDFAST_METRICS_GRAPHITE_ADDRESS=graphite:0"}, want: `HOLDFAST_METRICS_GRAPHITE_ADDRESS: must be one host:port`},
		"graphite no host":      {env: []string{"HOLDFAST_METRICS_GRAPHITE_ADDRESS=:2003"}, want: `HOLDFAST_METRICS_GRAPHITE_ADDRESS: must be one host:port`},
		"graphite prefix":       {env: []string{"HOLDFAST_METRICS_GRAPHITE_ADDRESS=g:2003", "HOLDFAST_METRICS_GRAPHITE_PREFIX=a..b"}, want: "HOLDFAST_METRICS_GRAPHITE_PREFIX: must be at most 128 letters, digits, hyphens and underscores, with single dots between parts"},
		"graphite prefix alone": {env: []string{"HOLDFAST_METRICS_GRAPHITE_PREFIX=a"}, want: "HOLDFAST_METRICS_GRAPHITE_PREFIX: is given, but metrics.graphite.address is not; set HOLDFAST_METRICS_GRAPHITE_ADDRESS or remove it"},
		"graphite often":        {env: []string{"HOLDFAST_METRICS_GRAPHITE_INTERVAL=1ms"}, want: "HOLDFAST_METRICS_GRAPHITE_INTERVAL: must be at least 1s"},
		"tracing":               {env: []string{"HOLDFAST_TRACING_ENDPOINT=127.0.0.1:4318"}, want: "HOLDFAST_TRACING_ENDPOINT: must be an http:// or https:// URL without user, query and fragment, for example http://127.0.0.1:4318"},
		"tracing user":          {env: []string{"HOLDFAST_TRACING_ENDPOINT=https://u:secret@h"}, want: "HOLDFAST_TRACING_ENDPOINT: must be an http:// or https:// URL without user"},
		"tracing ratio":         {env: []string{"HOLDFAST_TRACING_SAMPLE_RATIO=NaN"}, want: "HOLDFAST_TRACING_SAMPLE_RATIO: must be a number from 0 to 1, for example 0.1"},
		"tracing ratio alone":   {env: []string{"HOLDFAST_TRACING_SAMPLE_RATIO=0.5"}, want: "HOLDFAST_TRACING_SAMPLE_RATIO: is given, but tracing.endpoint is not; set HOLDFAST_TRACING_ENDPOINT or remove it"},

		"types no list":      {yaml: "schemas:\n  types: a\n", want: "holdfast.yaml:2: schemas.types: must be a list of type, version and file"},
		"type no mapping":    {yaml: "schemas:\n  types:\n  - a\n", want: "holdfast.yaml:3: schemas.types[0]: must have the names type, version and file"},
		"type unknown name":  {yaml: "schemas:\n  types:\n  - {type: a, fil: b}\n", want: "holdfast.yaml:3: schemas.types[0].fil: is no setting; did you mean file?"},
		"type without file":  {yaml: "schemas:\n  types:\n  - {type: a}\n", want: "holdfast.yaml:3: schemas.types[0]: must have a type and a file"},
		"type version":       {yaml: "schemas:\n  types:\n  - {type: a, version: x, file: b}\n", want: "holdfast.yaml:3: schemas.types[0].version: must be a whole number from 0"},
		"type member a list": {yaml: "schemas:\n  types:\n  - {type: [a]}\n", want: "holdfast.yaml:3: schemas.types[0].type: must be one value"},
		"type twice":         {yaml: "schemas:\n  types:\n  - {type: a, file: b}\n  - {type: a, file: c}\n", want: "holdfast.yaml:3: schemas.types: a version 0 is registered twice; remove one"},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, c.yaml)
			src := settings.Sources{Environ: c.env}
			if c.flag.Name != "" {
				src.Flags = []settings.Flag{c.flag}
			}
			_, err := settings.Load(src)
			var wrong *settings.Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%T %v", err, err)
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "sec/ret") {
				t.Errorf("more than a line, or a secret: %v", err)
			}
		})
	}
}

func TestFlagGivenTwice(t *testing.T) {
	inFolder(t, "")
	_, err := settings.Load(settings.Sources{Flags: []settings.Flag{
		{Key: "ring", Name: "--ring", Text: "a"}, {Key: "ring", Name: "--set ring", Text: "b"},
	}})
	if err == nil || err.Error() != "--set ring: ring is given by --ring already; remove one" {
		t.Error(err)
	}
}

func TestWrongNamesTheSource(t *testing.T) {
	inFolder(t, "")
	s := load(t, settings.Sources{Environ: []string{"HOLDFAST_DATA_DIR=/nowhere"}})
	for key, want := range map[string]string{"dataDir": "HOLDFAST_DATA_DIR: is gone", "schemas.types": "default: schemas.types: is gone"} {
		if got := s.Wrong(key, "is gone").Error(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, content := range []string{" ", "# a comment\n", "---\n", "limits:\nauth:\n"} {
		inFolder(t, content)
		if s := load(t, settings.Sources{}); s.File != "holdfast.yaml" {
			t.Errorf("%q: %q", content, s.File)
		}
	}
}

// The reference is made from the struct tags; go generate writes it again.
func TestReferenceIsCurrent(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate", "settings.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != settings.Reference() {
		t.Error("docs/operate/settings.md is not current: run go generate ./internal/settings")
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"", "listen: a", "limits: {maxBytes: 4MiB}", "schemas: {types: [{type: a}]}", "a: &a [*a]", "auth: oidc", "? [a]\n: b", "\x00", "<<: {ring: a}"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "h.yaml")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := settings.Load(settings.Sources{Config: path})
		var wrong *settings.Error
		if err != nil && !errors.As(err, &wrong) {
			t.Errorf("%T %v", err, err)
		}
	})
}
