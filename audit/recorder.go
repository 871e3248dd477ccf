package audit

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// RecorderConfig is what a [Recorder] works with; zero values mean the defaults.
type RecorderConfig struct {
	Store  store.Audit
	Logger logrus.FieldLogger
	Redact Redact
	Node   string
	Now    func() time.Time
	// Flush is how often events are written; default 1 s. What a node that is killed has
	// not written yet is lost: refusals changed nothing.
	Flush time.Duration
	// MaxWaiting bounds the events, and MaxSessions the sessions, that are remembered; defaults 4096 and 65,536.
	MaxWaiting, MaxSessions int
}

// Recorder writes events of what changed nothing. Like ones of a flush become one
// event that says how often; when too many different ones wait, what comes is
// counted by code alone. So a flood of refusals costs a bounded number of rows.
type Recorder struct {
	RecorderConfig
	mu       sync.Mutex
	waiting  map[likeness]*repeated
	order    []*repeated
	sessions map[sessionKey]struct{}
	fresh    []holdfast.AuditEvent
	stop     chan struct{}
	done     chan struct{}
}

// likeness is what two events share that are told as one.
type likeness struct {
	action                                        holdfast.AuditAction
	code                                          holdfast.Code
	target, actor                                 string
	correlation, session, device, shop, user, who string
	stream                                        holdfast.ID
}

type repeated struct {
	event holdfast.AuditEvent
	count int64
}

type sessionKey struct{ session, device string }

// NewRecorder makes one; Start begins its work.
func NewRecorder(c RecorderConfig) (*Recorder, error) {
	if c.Store == nil || c.Logger == nil || c.Redact == nil {
		return nil, errors.New("audit: a store, a logger and a redaction are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Flush == 0 {
		c.Flush = time.Second
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 4096
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 1 << 16
	}
	return &Recorder{
		RecorderConfig: c, waiting: map[likeness]*repeated{}, sessions: map[sessionKey]struct{}{}, stop: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// Start begins to write in the background.
func (r *Recorder) Start() {
	go func() {
		defer close(r.done)
		tick := time.NewTicker(r.Flush)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-r.stop:
				return
			}
			r.flushWithin(5 * time.Second)
		}
	}()
}

// Stop writes what waits, at most until ctx is done.
func (r *Recorder) Stop(ctx context.Context) {
	close(r.stop)
	select {
	case <-r.done:
	case <-ctx.Done():
		return
	}
	r.flush(ctx)
}

// Refused tells of a request that was refused with a code by a route. It never waits.
func (r *Recorder) Refused(ctx context.Context, code holdfast.Code, method, route string, stream holdfast.ID) {
	e := r.event(ctx, holdfast.ActionRefused)
	e.Outcome, e.Code, e.Stream = holdfast.OutcomeFailure, code, stream
	if code == holdfast.CodeUnauthenticated || code == holdfast.CodeForbidden {
		e.Action, e.Outcome = holdfast.ActionDenied, holdfast.OutcomeDenied
	}
	e.Target = holdfast.AuditTarget{Kind: "route", ID: method + " " + route}
	r.add(e)
}

// Replayed tells of a batch that was answered from its record.
func (r *Recorder) Replayed(ctx context.Context, stream holdfast.ID, first, last int64) {
	e := r.event(ctx, holdfast.ActionReplayed)
	e.Stream, e.First, e.Last = stream, first, last
	e.Target = holdfast.AuditTarget{Kind: "batch", ID: e.Context.Correlation}
	r.add(e)
}

// Seen notices the session of a request; a new one gets an event.
func (r *Recorder) Seen(ctx context.Context) {
	rc := holdfast.RequestContextFrom(ctx)
	if rc.Session == "" {
		return
	}
	key := sessionKey{rc.Session, rc.Device}
	r.mu.Lock()
	_, known := r.sessions[key]
	r.mu.Unlock()
	if known {
		return
	}
	e := r.event(ctx, holdfast.ActionSession)
	e.Target = holdfast.AuditTarget{Kind: "session", ID: rc.Session}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) >= r.MaxSessions {
		clear(r.sessions) // the database knows which were there
	}
	if _, known := r.sessions[key]; !known && len(r.fresh) < r.MaxWaiting {
		r.sessions[key] = struct{}{}
		r.fresh = append(r.fresh, e)
	}
}

func (r *Recorder) event(ctx context.Context, action holdfast.AuditAction) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: holdfast.NewID(r.Now()), Action: action, Outcome: holdfast.OutcomeSuccess, Node: r.Node,
		Actor: holdfast.ActorFrom(ctx), Context: holdfast.RequestContextFrom(ctx), Address: holdfast.AddressFrom(ctx),
	}
}

// add folds an event into a like one, or lets it wait.
func (r *Recorder) add(e holdfast.AuditEvent) {
	key := likeness{
		e.Action, e.Code, e.Target.ID, e.Actor.ID, e.Context.Correlation, e.Context.Session, e.Context.Device, e.Context.Shop, e.Context.User, e.Address, e.Stream,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) >= r.MaxWaiting && r.waiting[key] == nil {
		// Too many: who and where are given up, what is kept.
		key = likeness{action: e.Action, code: e.Code}
		e = holdfast.AuditEvent{
			ID: e.ID, Action: e.Action, Outcome: e.Outcome, Code: e.Code, Node: e.Node, Actor: holdfast.AuditActor{Kind: "anonymous"},
			Target: holdfast.AuditTarget{Kind: "route", ID: "several"}, Details: []byte(`{"folded":true}`),
		}
	}
	if like := r.waiting[key]; like != nil {
		like.count++
		return
	}
	one := &repeated{event: e, count: 1}
	r.waiting[key] = one
	r.order = append(r.order, one)
}

func (r *Recorder) flushWithin(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	r.flush(ctx)
}

// flush writes what waits; what can't be written now waits on.
func (r *Recorder) flush(ctx context.Context) {
	r.mu.Lock()
	events, fresh := r.order, r.fresh
	keys := r.waiting
	r.order, r.fresh, r.waiting = nil, nil, map[likeness]*repeated{}
	r.mu.Unlock()
	if err := r.begin(ctx, fresh); err != nil {
		r.Logger.WithError(err).Debug("sessions are recorded later")
	}
	if len(events) == 0 {
		return
	}
	rows := make([]holdfast.AuditEvent, len(events))
	for i, one := range events {
		rows[i] = one.event
		if one.count > 1 {
			details, _ := json.Marshal(map[string]any{"count": one.count})
			rows[i].Details = details
		}
	}
	if err := r.Store.Record(ctx, rows); err != nil {
		r.Logger.WithError(err).WithField("events", len(rows)).Debug("audit events are recorded later")
		r.putBack(keys)
	}
}

// begin records sessions; what can't be is seen again with their next request.
func (r *Recorder) begin(ctx context.Context, fresh []holdfast.AuditEvent) error {
	for i, e := range fresh {
		if _, err := r.Store.BeginSession(ctx, e); err != nil {
			r.mu.Lock()
			for _, e := range fresh[i:] {
				delete(r.sessions, sessionKey{e.Context.Session, e.Context.Device})
			}
			r.mu.Unlock()
			return err
		}
	}
	return nil
}

func (r *Recorder) putBack(keys map[likeness]*repeated) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, one := range keys {
		if like := r.waiting[key]; like != nil {
			like.count += one.count
			continue
		}
		if len(r.order) >= r.MaxWaiting {
			continue // counted by nobody: an outage longer than the memory for it
		}
		r.waiting[key] = one
		r.order = append(r.order, one)
	}
}

// repeats is how often what an event tells has happened.
func repeats(e *holdfast.AuditEvent) int64 {
	if len(e.Details) == 0 || e.Details[0] != '{' {
		return 1
	}
	var d struct {
		Count int64 `json:"count"`
	}
	if json.Unmarshal(e.Details, &d) != nil || d.Count < 1 {
		return 1
	}
	return d.Count
}
