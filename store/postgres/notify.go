package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// streamsInNotice bounds a payload, which has less than 8000 bytes (PostgreSQL documentation, NOTIFY).
const streamsInNotice = 200

// notices are the payloads that tell of streams, each once.
func notices(streams []holdfast.ID) []string {
	var all []string
	seen := map[holdfast.ID]bool{}
	var some []string
	for _, id := range streams {
		if seen[id] {
			continue
		}
		seen[id] = true
		if some = append(some, id.String()); len(some) == streamsInNotice {
			all, some = append(all, strings.Join(some, ",")), nil
		}
	}
	if len(some) > 0 {
		all = append(all, strings.Join(some, ","))
	}
	return all
}

// listenPause is the time before a lost connection is made again.
const listenPause = 250 * time.Millisecond

// Notices listens on a connection of its own. Whenever that is new, everybody is to look.
func (s *Store) Notices(ctx context.Context, heard func(store.Notice)) {
	for ctx.Err() == nil {
		s.listen(ctx, heard)
		select {
		case <-ctx.Done():
		case <-time.After(listenPause):
		}
	}
}

func (s *Store) listen(ctx context.Context, heard func(store.Notice)) {
	connecting, cancel := context.WithTimeout(ctx, connectPatience)
	conn, err := pgx.ConnectConfig(connecting, s.pool.Config().ConnConfig)
	if err == nil {
		_, err = conn.Exec(connecting, "LISTEN holdfast")
	}
	cancel()
	if err != nil {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	heard(store.Notice{All: true, Work: true})
	for {
		waiting, cancel := context.WithTimeout(ctx, listenCheck)
		n, err := conn.WaitForNotification(waiting)
		silent := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			if payload, own := strings.CutPrefix(n.Payload, s.origin); !own {
				heard(noticeOf(payload))
			}
		case silent && conn.Ping(ctx) == nil: // nothing happened, and the server is there
		default:
			return
		}
	}
}

// listenCheck is how long a connection may be silent before it is asked whether it lives.
const listenCheck = 10 * time.Second

// newOrigin tells this store's notices from others': eight characters and a colon.
func newOrigin() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:]) + ":"
}

func noticeOf(payload string) store.Notice {
	if origin, rest, found := strings.Cut(payload, ":"); found && len(origin) == 8 {
		payload = rest
	}
	switch payload {
	case "work":
		return store.Notice{Work: true}
	case "all":
		return store.Notice{All: true}
	}
	var n store.Notice
	for text := range strings.SplitSeq(payload, ",") {
		id, err := holdfast.ParseID(text)
		if err != nil {
			return store.Notice{All: true} // of a later version
		}
		n.Streams = append(n.Streams, id)
	}
	return n
}
