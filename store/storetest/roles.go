package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

func queues(t *testing.T, s store.Store) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 123000, time.UTC)
	report := func(depth int64, at time.Time) map[holdfast.ID]holdfast.Queue {
		return map[holdfast.ID]holdfast.Queue{stream: {Depth: depth, Oldest: 340 * time.Second, At: at}}
	}
	check := func(want holdfast.Queue) {
		t.Helper()
		if q, err := s.Queue(t.Context(), stream); err != nil || q != want {
			t.Fatalf("%+v %v", q, err)
		}
	}
	if _, err := s.Queue(t.Context(), stream); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	save := func(q map[holdfast.ID]holdfast.Queue) {
		t.Helper()
		if err := s.SaveQueues(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	save(report(12, at))
	check(report(12, at)[stream])
	save(report(3, at.Add(-time.Second))) // an older one than is held
	check(report(12, at)[stream])
	save(report(0, at.Add(time.Second)))
	check(report(0, at.Add(time.Second))[stream])
	save(nil)
	many := map[holdfast.ID]holdfast.Queue{}
	for i := range 3000 {
		many[ID(0x77, i)] = holdfast.Queue{Depth: int64(i), At: at}
	}
	save(many)
	if q, err := s.Queue(t.Context(), ID(0x77, 2999)); err != nil || q.Depth != 2999 {
		t.Fatalf("%+v %v", q, err)
	}
}

func tokens(t *testing.T, s store.Store) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 5000, time.UTC)
	first := holdfast.Token{
		ID: "abc", Hash: holdfast.HashOf([]byte("x")), Name: "ipad 3", Scope: holdfast.ScopeDevice,
		Device: "ipad-3", Shop: "0042", User: "u", CreatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
	second := holdfast.Token{ID: "aaa", Hash: holdfast.HashOf([]byte("y")), Scope: holdfast.ScopeAdmin, CreatedAt: at.Add(time.Minute)}
	for _, token := range []holdfast.Token{second, first} {
		if err := s.CreateToken(t.Context(), token, tokenEvent(holdfast.ActionTokenMade, token.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateToken(t.Context(), first, tokenEvent(holdfast.ActionTokenMade, first.ID)); !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	if got, err := s.Token(t.Context(), "abc"); err != nil || got != first {
		t.Fatalf("%+v %v", got, err)
	}
	if all, err := s.Tokens(t.Context()); err != nil || len(all) != 2 || all[0] != first || all[1] != second {
		t.Fatalf("%+v %v", all, err)
	}
	for _, when := range []time.Time{at.Add(2 * time.Minute), at.Add(3 * time.Minute)} {
		if err := s.RevokeToken(t.Context(), "abc", when, tokenEvent(holdfast.ActionTokenEnded, "abc")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Token(t.Context(), "abc"); err != nil || !got.RevokedAt.Equal(at.Add(2*time.Minute)) {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := s.Token(t.Context(), "zzz"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if err := s.RevokeToken(t.Context(), "zzz", at, tokenEvent(holdfast.ActionTokenEnded, "zzz")); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	var told []string
	for _, e := range mustEvents(t, s, store.AuditFilter{}) {
		told = append(told, string(e.Action)+" "+e.Target.ID)
	}
	// Nothing of the token that was there, the second end, and the unknown one.
	if fmt.Sprint(told) != "[token.created aaa token.created abc token.revoked abc]" {
		t.Fatal(told)
	}
}

func tokenEvent(action holdfast.AuditAction, token string) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: ID(0xe0, 1), Action: action, Outcome: holdfast.OutcomeSuccess,
		Actor: holdfast.AuditActor{Kind: "operator", ID: "root"}, Target: holdfast.AuditTarget{Kind: "token", ID: token},
	}
}

func epoch(t *testing.T, s store.Store) {
	e, err := s.Epoch(t.Context())
	if err != nil || e.Number != 1 || e.ID.IsZero() || e.ID[6]>>4 != 4 || e.ID[8]>>6 != 2 || time.Since(e.StartedAt) > time.Hour {
		t.Fatalf("%+v %v", e, err)
	}
	if again, err := s.Epoch(t.Context()); err != nil || again != e {
		t.Fatalf("%+v %v", again, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}
