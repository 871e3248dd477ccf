package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/tracelog"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	goredis "github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/internal/testserver"
	"github.com/holdfast-sync/holdfast/middleware"
	"github.com/holdfast-sync/holdfast/redact"
)

// The canaries: what must come out of nowhere.
const (
	canaryPassword = "Canary7Pass"
	canaryToken    = "CanaryToken9f8e7d6c5b4a"
	canaryCard     = "4111111111111111"
)

func noCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range []string{canaryPassword, canaryToken, canaryCard, testserver.S3Secret} {
		if strings.Contains(text, canary) {
			i := strings.Index(text, canary)
			t.Errorf("%s: %q is in …%s…", where, canary, text[max(0, i-80):min(len(text), i+40)])
		}
	}
}

type account struct {
	User, Password string
	Token          *string
	Cards          map[string]string
}

// Every way that leads to the log, with a secret put in at its beginning.
func TestNoWayAroundTheRedaction(t *testing.T) {
	token := canaryToken
	a := account{"joe", canaryPassword, &token, map[string]string{"card": canaryCard}}
	chain := fmt.Errorf("intake: %w", fmt.Errorf("login: %w", errors.New("password="+canaryPassword)))
	for _, format := range []string{"json", "text"} {
		for name, way := range map[string]func(t *testing.T, l *logrus.Logger){
			"an error chain":      func(_ *testing.T, l *logrus.Logger) { l.WithError(chain).Error("failed") },
			"a struct":            func(_ *testing.T, l *logrus.Logger) { l.Errorf("%+v and %#v and %+v", a, a, &a) },
			"a field of a struct": func(_ *testing.T, l *logrus.Logger) { l.WithField("account", a).Error("failed") },
			"a header dump":       func(_ *testing.T, l *logrus.Logger) { l.Error(http.Header{"Authorization": {"Bearer " + canaryToken}}) },
			"a request":           func(_ *testing.T, l *logrus.Logger) { l.Errorf("%+v", request()) },
			"a field's name":      func(_ *testing.T, l *logrus.Logger) { l.WithField("password="+canaryPassword, 1).Error("x") },
			"past the formatter":  func(_ *testing.T, l *logrus.Logger) { fmt.Fprintf(l.Out, "password=%s\n", canaryPassword) },
			"in pieces": func(_ *testing.T, l *logrus.Logger) {
				for _, part := range []string{"pass", "word=", canaryPassword[:4], canaryPassword[4:], "\n"} {
					_, _ = io.WriteString(l.Out, part)
				}
			},
			"the standard log": func(_ *testing.T, _ *logrus.Logger) { stdlog.Printf("password=%s", canaryPassword) },
			"slog": func(_ *testing.T, _ *logrus.Logger) {
				slog.Error("login password="+canaryPassword, "password", canaryPassword, "nested", slog.GroupValue(slog.String("token", canaryToken)))
			},
			"a dump of net/http": func(_ *testing.T, l *logrus.Logger) {
				httpErrors(l).Printf("http: panic serving: token=%s", canaryToken)
			},
			"a panic": func(t *testing.T, l *logrus.Logger) {
				h := middleware.AccessLog(l, nowFixed)(middleware.Recover(l)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(fmt.Sprintf("%+v", a)) })))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request())
				noCanary(t, "the answer", w.Body.String())
			},
			"pgx at its most talkative":   func(t *testing.T, l *logrus.Logger) { talkPGX(t, l) },
			"redis at its most talkative": func(t *testing.T, l *logrus.Logger) { talkRedis(t, l) },
			"S3 at its most talkative":    func(t *testing.T, l *logrus.Logger) { talkS3(t, l) },
		} {
			t.Run(format+", "+name, func(t *testing.T) {
				var out text
				logger, err := newLogger(&out, "trace", format, false, redact.Default)
				if err != nil {
					t.Fatal(err)
				}
				captureOthers(logger, "debug")
				way(t, logger)
				_, _ = io.WriteString(logger.Out, "\n")
				if len(out.String()) < 10 {
					t.Fatalf("nothing was logged: %q", out.String())
				}
				noCanary(t, name, out.String())
			})
		}
	}
}

func request() *http.Request {
	r := httptest.NewRequest("GET", "/v1/limits?access_token="+canaryToken, nil)
	r.Header.Set("Authorization", "Bearer "+canaryToken)
	r.Header.Set("Cookie", "session="+canaryToken)
	return r
}

// talkPGX traces statements with secrets in their text and their arguments.
func talkPGX(t *testing.T, l *logrus.Logger) {
	t.Helper()
	cfg, err := pgx.ParseConfig(testserver.Postgres(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tracer = &tracelog.TraceLog{LogLevel: tracelog.LogLevelTrace, Logger: tracelog.LoggerFunc(func(_ context.Context, _ tracelog.LogLevel, msg string, data map[string]any) {
		l.WithFields(data).Info(msg)
	})}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, _ = conn.Exec(t.Context(), "SELECT 1 AS password WHERE 'password' = '"+canaryPassword+"' OR 'x' = 'token="+canaryToken+"'")
	_, err = conn.Exec(t.Context(), "CREATE ROLE canary PASSWORD '"+canaryPassword+"' NONSENSE")
	l.WithError(err).Error("refused")
	_, _ = conn.Exec(t.Context(), "SELECT $1::text", "card "+canaryCard)
}

func talkRedis(t *testing.T, l *logrus.Logger) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: testserver.Redis(t).Addr(), Password: canaryPassword})
	defer client.Close()
	err := client.Set(t.Context(), "k", "token="+canaryToken, 0).Err()
	l.WithError(err).Errorf("set: %+v", client.Options())
	l.Error(goredis.NewStatusCmd(t.Context(), "AUTH", "password="+canaryPassword).String())
}

func talkS3(t *testing.T, l *logrus.Logger) {
	t.Helper()
	server := testserver.S3(t)
	client, err := minio.New(server.Addr(), &minio.Options{Creds: credentials.NewStaticV4(testserver.S3Key, testserver.S3Secret, "")})
	if err != nil {
		t.Fatal(err)
	}
	client.TraceOn(l.Out)
	_, err = client.BucketExists(t.Context(), server.Bucket)
	l.WithError(err).Errorf("secret=%s", testserver.S3Secret)
}

// Libraries are capped whatever the program's level is.
func TestLibrariesAreCapped(t *testing.T) {
	var out text
	logger, err := newLogger(&out, "debug", "json", false, redact.Default)
	if err != nil {
		t.Fatal(err)
	}
	captureOthers(logger, "warn")
	slog.Debug("wire dump")
	slog.With("a", 1).WithGroup("g").Info("wire dump")
	slog.Warn("worth a look")
	logger.Debug("our own")
	if got := out.String(); strings.Contains(got, "dump") || !strings.Contains(got, "worth a look") || !strings.Contains(got, "our own") {
		t.Fatal(got)
	}
}

// Problems tell nothing either.
func TestProblemsAreRedacted(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Write(w, request(), &holdfast.Error{
		Code: holdfast.CodeInvalidRequest, Detail: "the password=" + canaryPassword + " is wrong",
		Fields: []holdfast.FieldError{{Pointer: "/a", Detail: "card " + canaryCard + " is no number"}},
	})
	noCanary(t, "the problem", w.Body.String())
	if !strings.Contains(w.Body.String(), "[REDACTED]") {
		t.Fatal(w.Body.String())
	}
}

func nowFixed() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }

// What the runtime writes when the program dies does not pass any logger: the guard
// behind file descriptor 2 masks it.
func TestFatalOutputIsRedacted(t *testing.T) {
	for _, how := range []string{"panic", "print", "deadlock", "log"} {
		cmd := exec.Command(os.Args[0], "-test.run", "^$")
		cmd.Env = append(os.Environ(), "CANARY_DIE="+how)
		out, err := cmd.CombinedOutput()
		if how == "panic" && err == nil {
			t.Errorf("%s: it lives: %s", how, out)
		}
		noCanary(t, how, string(out))
		if !bytes.Contains(out, []byte("[REDACTED]")) {
			t.Errorf("%s: nothing is masked: %s", how, out)
		}
	}
}

// die is what the child of [TestFatalOutputIsRedacted] does.
func die(how string) {
	if _, err := guardStderr(); err != nil {
		panic(err)
	}
	switch how {
	case "panic":
		panic("password=" + canaryPassword + " token=" + canaryToken)
	case "print":
		println("password=" + canaryPassword)
	case "log":
		fmt.Fprintln(os.Stderr, "Authorization: Bearer "+canaryToken)
	case "deadlock":
		fmt.Fprintln(os.Stderr, "secret="+canaryToken)
		panic(fmt.Errorf("map[card:%s]", canaryCard))
	}
}

// The configuration is printed without secrets, wherever they stand.
func TestConfigPrintsNoCanary(t *testing.T) {
	var out bytes.Buffer
	con := &console{out: &out, err: &out, environ: []string{
		"HOLDFAST_DATABASE_URL=postgres://u:" + canaryPassword + "@h/d", "HOLDFAST_REDIS_URL=redis://:" + canaryPassword + "@h/0",
		"HOLDFAST_OBJECT_STORES=east=s3://key:" + canaryToken + "@h/b", "HOLDFAST_AUDIT_SEALING_KEY=" + canaryToken, "HOLDFAST_METRICS_LISTEN=127.0.0.1:0", "HOLDFAST_METRICS_TOKEN=" + canaryToken + canaryToken,
	}, now: nowFixed}
	for _, format := range []string{"text", "json"} {
		if code := run([]string{"config", "--output", format}, con); code != exitDone {
			t.Fatal(out.String())
		}
	}
	noCanary(t, "config", out.String())
}
