package sqlite

import (
	"errors"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/store"
)

// fileName of the database inside the data directory.
const fileName = "holdfast.db"

// Config says where the database is and how much may wait for it.
type Config struct {
	Dir    string // made with mode 0700 when it is not there
	Logger logrus.FieldLogger
	// Grouped is told of every commit; nil: nobody. It must return at once.
	Grouped func(store.Group)
	// Beside opens next to a gateway that is running, for tools: without the
	// lock that keeps a second gateway away.
	Beside bool
	// MaxWaiting bounds the steps that wait to be written; 0: 4096.
	MaxWaiting int
	// MaxGroupBytes and MaxGroupRows bound one commit; 0: 8 MiB, 5000 rows.
	MaxGroupBytes int
	MaxGroupRows  int
	// Readers is the number of connections that read; 0: 4.
	Readers int
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("sqlite: no data directory")
	}
	if c.Logger == nil {
		return c, errors.New("sqlite: no logger")
	}
	if c.Grouped == nil {
		c.Grouped = func(store.Group) {}
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 4096
	}
	if c.MaxGroupBytes == 0 {
		c.MaxGroupBytes = 8 << 20
	}
	if c.MaxGroupRows == 0 {
		c.MaxGroupRows = 5000
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	return c, nil
}

func (c Config) path() string { return filepath.Join(c.Dir, fileName) }
