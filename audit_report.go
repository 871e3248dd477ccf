package holdfast

import "time"

// AuditReport is what happened on one day, store by store, each in its own time zone. It is
// made of audit events alone, so that of a past day comes out the same whenever it is asked for.
type AuditReport struct {
	Date string `json:"date"` // YYYY-MM-DD
	// Complete is false while the day is not over in some store.
	Complete bool      `json:"complete"`
	Stores   []ShopDay `json:"stores"`
}

// ShopDay is a store's day.
type ShopDay struct {
	Store    string    `json:"storeId"` // empty: events that name no store
	TimeZone string    `json:"timeZone"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Complete bool      `json:"complete"`
	Day      DayCounts `json:"day"`
	// DayBefore and Week are for comparison; Week is the mean of the seven days before.
	DayBefore DayCounts `json:"dayBefore"`
	Week      DayCounts `json:"week"`
	// AffectedCorrelationIDs are those of everything that failed, at most 1000; Affected is how many there are.
	Affected               int      `json:"affected"`
	AffectedCorrelationIDs []string `json:"affectedCorrelationIds"`
	// Undelivered counts the transactions that were accepted by the end of the day (or by now) and
	// then neither delivered nor given up; OldestUndeliveredSeconds is the age of the oldest at that moment.
	Undelivered              int64        `json:"undelivered"`
	OldestUndeliveredSeconds int64        `json:"oldestUndeliveredSeconds"`
	TopErrors                []ErrorCount `json:"topErrors"`
}

// DayCounts are of one day, or a mean.
type DayCounts struct {
	Events              float64 `json:"events"`
	Sessions            float64 `json:"sessions"`
	SessionsWithFailure float64 `json:"sessionsWithFailure"`
	Transactions        float64 `json:"transactions"`
	Failures            float64 `json:"failures"`
}

// ErrorCount is a problem code and how often it came.
type ErrorCount struct {
	Code  string `json:"code"`
	Count int64  `json:"count"`
}

// Add adds up.
func (c *DayCounts) Add(d DayCounts) {
	c.Events += d.Events
	c.Sessions += d.Sessions
	c.SessionsWithFailure += d.SessionsWithFailure
	c.Transactions += d.Transactions
	c.Failures += d.Failures
}
