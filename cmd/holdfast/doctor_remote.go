package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5"
	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/fastpath/redis"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/store"
)

const databaseAdvice = "start the database, and look at HOLDFAST_DATABASE_URL, the network and the password"

// neverServed says that the embedded database has not been made yet. Opening it
// would make it, and looking must change nothing.
func neverServed(s *settings.Settings) bool {
	if !s.Embedded() {
		return false
	}
	found, err := filepath.Glob(filepath.Join(s.DataDir, "*.db"))
	return err == nil && len(found) == 0
}

func checkDatabase(ctx context.Context, s *settings.Settings, logger logrus.FieldLogger) finding {
	if neverServed(s) {
		return ok("none yet; holdfast serve makes it in %s", s.DataDir)
	}
	m, err := backendOf(s, logger).migrator(ctx)
	if err != nil {
		return fail(databaseAdvice, "can't be reached: %v", err)
	}
	defer func() { _ = m.Close() }()
	begin := time.Now()
	if _, err := m.Status(ctx); err != nil {
		return fail(databaseAdvice, "does not answer: %v", err)
	}
	where := "embedded in " + s.DataDir
	if !s.Embedded() {
		where = settings.MaskURL(s.DatabaseURL)
	}
	return ok("%s answers (%s)", where, time.Since(begin).Round(time.Millisecond))
}

func checkSchema(ctx context.Context, s *settings.Settings, logger logrus.FieldLogger) finding {
	if neverServed(s) {
		return ok("none yet")
	}
	m, err := backendOf(s, logger).migrator(ctx)
	if err != nil {
		return fail(databaseAdvice, "the database can't be reached")
	}
	defer func() { _ = m.Close() }()
	all, err := m.Status(ctx)
	if err != nil {
		return fail(databaseAdvice, "can't be read: %v", err)
	}
	switch left := pending(all); {
	case left == len(all):
		return ok("empty; holdfast serve makes it")
	case left > 0 && s.Embedded():
		return ok("%d migrations are pending; holdfast serve applies them", left)
	case left > 0:
		return fail("holdfast migrate up", "%d migrations are pending", left)
	}
	if err := m.Validate(ctx); err != nil {
		return fail("find out who changed it; a backup of the same version has the right one", "%v", err)
	}
	return ok("current, %d migrations", len(all))
}

// checkDurability looks at what PostgreSQL promises about a commit.
func checkDurability(ctx context.Context, s *settings.Settings) finding {
	var synchronous, fsync, pages, version string
	var standby bool
	err := askPostgres(ctx, s, `SELECT current_setting('synchronous_commit'), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('server_version'), pg_is_in_recovery()`,
		&synchronous, &fsync, &pages, &version, &standby)
	switch {
	case err != nil:
		return fail(databaseAdvice, "can't be asked: %v", err)
	case fsync != "on":
		return fail("set fsync = on in postgresql.conf", "fsync is %s: a crash of the machine loses what was accepted", fsync)
	case pages != "on":
		return fail("set full_page_writes = on in postgresql.conf", "full_page_writes is %s: a crash of the machine may damage tables", pages)
	case standby:
		return fail("name the primary in HOLDFAST_DATABASE_URL, or all hosts of the cluster", "the database is a standby and takes no writes")
	case synchronous == "off":
		return warn("set synchronous_commit = on; Holdfast asks for it on its own connections", "synchronous_commit is off for others")
	}
	return ok("PostgreSQL %s, fsync %s, full_page_writes %s, synchronous_commit %s", version, fsync, pages, synchronous)
}

// clockFail is how far two clocks may differ before tokens and logs mislead.
const clockFail = 5 * time.Second

func checkClock(ctx context.Context, s *settings.Settings, now func() time.Time) finding {
	var there time.Time
	before := now()
	if err := askPostgres(ctx, s, "SELECT clock_timestamp()", &there); err != nil {
		return fail(databaseAdvice, "can't be asked: %v", err)
	}
	trip := now().Sub(before)
	// The answer was made at some time during the trip.
	skew := there.Sub(before.Add(trip / 2)).Abs()
	if skew > clockFail+trip/2 {
		return fail("let NTP set the clocks of both machines", "differs by %s from this machine's", skew.Round(time.Millisecond))
	}
	return ok("differs by %s at most", (skew + trip/2).Round(time.Millisecond))
}

// askPostgres reads one row over a connection of its own.
func askPostgres(ctx context.Context, s *settings.Settings, query string, into ...any) error {
	conn, err := pgx.Connect(ctx, s.DatabaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.QueryRow(ctx, query).Scan(into...)
}

func checkRedis(ctx context.Context, s *settings.Settings, logger logrus.FieldLogger) finding {
	client, err := redis.NewClient(s.RedisURL, logger)
	if err != nil {
		return fail("correct HOLDFAST_REDIS_URL", "%v", err)
	}
	defer func() { _ = client.Close() }()
	begin := time.Now()
	if err := client.Ping(ctx).Err(); err != nil {
		return fail("start Redis, or leave HOLDFAST_REDIS_URL empty: the gateway works without it, only slower", "does not answer: %v", err)
	}
	took := time.Since(begin)
	return ok("%s answers (%s)", settings.MaskURL(s.RedisURL), took.Round(100*time.Microsecond))
}

func checkTokens(ctx context.Context, s *settings.Settings, con *console) finding {
	const advice = "holdfast token create --name …"
	if neverServed(s) {
		return warn(advice, "none yet")
	}
	opened, err := backendOf(s, con.discard()).beside(ctx)
	if errors.Is(err, store.ErrSchema) {
		return warn(advice, "none yet")
	}
	if err != nil {
		return fail(databaseAdvice, "can't be read: %v", err)
	}
	defer func() { _ = opened.Close() }()
	all, err := opened.Tokens(ctx)
	if err != nil {
		return fail(databaseAdvice, "can't be read: %v", err)
	}
	active := 0
	for _, t := range all {
		if tokenOf(t, con.now()).State == "active" {
			active++
		}
	}
	if active == 0 {
		return warn(advice, "none is active: nobody can call")
	}
	return ok("%d active of %d", active, len(all))
}

// checkProvider asks the identity provider as the gateway will.
func checkProvider(ctx context.Context, s *settings.Settings) finding {
	const advice = "look at HOLDFAST_AUTH_OIDC_ISSUER: below it must be /.well-known/openid-configuration, and the issuer in there must be the same"
	provider, err := oidc.NewProvider(ctx, s.Auth.OIDC.Issuer)
	if err != nil {
		return fail(advice, "discovery fails: %v", err)
	}
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&found); err != nil {
		return fail(advice, "discovery fails: %v", err)
	}
	n, err := countKeys(ctx, found.Keys)
	if err != nil || n == 0 {
		return fail("see that "+found.Keys+" can be reached and holds keys", "no keys: %d, %v", n, err)
	}
	return ok("%s answers and has %d keys", s.Auth.OIDC.Issuer, n)
}

func countKeys(ctx context.Context, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d", answer.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set)
	return len(set.Keys), err
}
