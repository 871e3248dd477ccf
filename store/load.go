package store

import "time"

// Load is how busy a backend is at one moment, for metrics.
type Load struct {
	Queues []QueueLoad
	// Connections of the pool that reads.
	InUse, Idle, MaxConnections int
	// Acquired counts the connections taken from the pool since the start, Waited
	// those that had to be waited for, and WaitedFor how long.
	Acquired, Waited int64
	WaitedFor        time.Duration
}

// QueueLoad is a queue in front of a writer or reader.
type QueueLoad struct {
	Name           string // write or read
	Waiting, Limit int
}

// Loaded is a backend that tells its load; asking it costs no round trip.
type Loaded interface{ Load() Load }

// Group is what one commit carried, or tried to.
type Group struct {
	Batches, Transactions int
	Took                  time.Duration
	Err                   error // nil: committed; conflicts of single steps are no error of the group
}
