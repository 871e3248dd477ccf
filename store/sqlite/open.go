package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	stdsync "sync"
	"syscall"

	_ "modernc.org/sqlite" // the driver

	"github.com/holdfast-sync/holdfast/store"
	"github.com/holdfast-sync/holdfast/store/group"
)

// Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	cfg     Config
	lock    *os.File
	writes  *sql.DB // one connection for the writer and one for rare small writes
	reads   *sql.DB
	queue   *group.Queue[work]
	stopped chan struct{} // the writer has ended
	once    stdsync.Once

	listeners listeners
}

// Open opens the database of a data directory whose schema has been migrated.
// It returns [store.ErrSchema] when the schema is older than this program needs
// or the file is none of ours, and a plain error when another gateway has it open.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, queue: group.NewQueue[work](cfg.MaxWaiting), stopped: make(chan struct{})}
	if err := s.open(ctx); err != nil {
		_ = s.release()
		return nil, err
	}
	go s.write()
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	var err error
	if !s.cfg.Beside {
		if s.lock, err = lockDir(s.cfg.Dir); err != nil {
			return err
		}
	}
	if s.writes, err = openFile(ctx, s.cfg.path(), 2); err != nil {
		return err
	}
	if err := current(ctx, s.writes); err != nil {
		return err
	}
	s.reads, err = openFile(ctx, s.cfg.path(), s.cfg.Readers)
	return err
}

// openFile opens the file with the settings that the promises need, reads them
// back, and fails if the database did not take them.
func openFile(ctx context.Context, path string, connections int) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the database file: %w", err)
	}
	_ = f.Close()
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(4000)", "cache_size(-65536)", "temp_store(MEMORY)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	var journal string
	var synchronous int
	err = db.QueryRowContext(ctx, "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)").Scan(&journal, &synchronous)
	switch {
	case err != nil:
		err = foreign(err)
	case journal != "wal" || synchronous != 2:
		err = fmt.Errorf("the database file can't be made safe: journal_mode %s, synchronous %d", journal, synchronous)
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// lockDir keeps a second gateway away from the directory; the kernel lets go of
// the lock however the process ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data directory %s is in use by another gateway", dir)
		}
		return nil, fmt.Errorf("the data directory: %w", err)
	}
	return f, nil
}

// Close refuses new steps, finishes those that were taken, and lets go of the file.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.queue.Close()
		<-s.stopped
		err = s.release()
	})
	return err
}

func (s *Store) release() (err error) {
	for _, db := range []*sql.DB{s.reads, s.writes} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// Load is how busy the queue and the readers are.
func (s *Store) Load() store.Load {
	readers := s.reads.Stats()
	write := store.QueueLoad{Name: "write"}
	write.Waiting, write.Limit = s.queue.Load()
	return store.Load{
		InUse: readers.InUse, Idle: readers.Idle, MaxConnections: readers.MaxOpenConnections,
		Waited: readers.WaitCount, WaitedFor: readers.WaitDuration,
		Queues: []store.QueueLoad{write},
	}
}

// Ping reads the epoch.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Epoch(ctx)
	return err
}
