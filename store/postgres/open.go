package postgres

import (
	"context"
	stdsync "sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

// Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	cfg    Config
	pool   *pgxpool.Pool
	writes *group.Queue[*store.Append]
	looks  *group.Queue[*look]
	holes  holes
	origin string             // of notices
	end    context.CancelFunc // ends statements that outlive Close's patience
	work   stdsync.WaitGroup
	once   stdsync.Once
}

// Open connects to a database whose schema has been migrated. It returns
// [store.ErrUnavailable] when it can't be reached and [store.ErrSchema] when its
// schema is older than this program needs.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	pc, err := cfg.poolConfig()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := current(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	s := &Store{
		cfg: cfg, pool: pool, end: end, origin: newOrigin(),
		writes: group.NewQueue[*store.Append](cfg.MaxWaiting),
		looks:  group.NewQueue[*look](cfg.MaxWaiting),
	}
	for range cfg.Writers {
		s.work.Go(func() { s.write(life) })
	}
	for range 2 {
		s.work.Go(func() { s.look(life) })
	}
	return s, nil
}

// Close refuses new work, finishes what was taken, and closes the connections.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.writes.Close()
		s.looks.Close()
		s.work.Wait()
		s.end()
		s.pool.Close()
	})
	return nil
}

// Load is how busy the queues and the pool are.
func (s *Store) Load() store.Load {
	pool := s.pool.Stat()
	l := store.Load{
		InUse: int(pool.AcquiredConns()), Idle: int(pool.IdleConns()), MaxConnections: int(pool.MaxConns()),
		Acquired: pool.AcquireCount(), Waited: pool.EmptyAcquireCount(), WaitedFor: pool.EmptyAcquireWaitTime(),
	}
	write, read := store.QueueLoad{Name: "write"}, store.QueueLoad{Name: "read"}
	write.Waiting, write.Limit = s.writes.Load()
	read.Waiting, read.Limit = s.looks.Load()
	l.Queues = []store.QueueLoad{write, read}
	return l
}

// Ping asks the primary for the time.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT 1")
	return s.unavailable(err)
}
