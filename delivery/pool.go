package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// pool works for one consumer. A slow consumer fills its own pool and no other one.
type pool struct {
	Consumer
	m       *Machine
	breaker circuitbreaker.CircuitBreaker[any]
	last    atomic.Pointer[string] // why it went down
	paused  atomic.Int64           // until when the consumer asked for silence, in ns since 1970
	wake    chan struct{}
	work    chan claimed
	idle    atomic.Bool  // nothing waits for it
	held    atomic.Int64 // claimed and not recorded yet
	feeding sync.WaitGroup
	running sync.WaitGroup
	stop    context.CancelFunc // no more claims
	abort   context.CancelFunc // breaks off what runs
}

type claimed struct {
	store.ClaimedDelivery
	lease *lease
}

func (m *Machine) startPools(g graph) (all []*pool) {
	for _, c := range g {
		p := &pool{Consumer: c, m: m, wake: make(chan struct{}, 1), work: make(chan claimed, 2*c.Concurrency)}
		p.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(uint(c.Breaker.Failures)).WithSuccessThreshold(1).
			WithDelay(c.Breaker.Rest).OnStateChanged(p.stateChanged).Build()
		feed, stop := context.WithCancel(context.Background())
		run, abort := context.WithCancel(context.Background())
		p.stop, p.abort = stop, abort
		p.feeding.Go(func() { p.feed(feed, run) })
		for range c.Concurrency {
			p.running.Go(func() { p.deliver(feed) })
		}
		all = append(all, p)
	}
	return all
}

// stopPools ends claims, lets attempts end until ctx is done, and then breaks them off.
func stopPools(ctx context.Context, all []*pool) {
	for _, p := range all {
		p.stop()
	}
	var ended sync.WaitGroup
	for _, p := range all {
		ended.Go(func() {
			p.feeding.Wait()
			close(p.work)
			idle := make(chan struct{})
			go func() { p.running.Wait(); close(idle) }()
			select {
			case <-idle:
			case <-ctx.Done():
				p.abort()
				<-idle
			}
			p.abort()
			_ = p.Sender.Close()
		})
	}
	ended.Wait()
}

func (p *pool) stateChanged(e circuitbreaker.StateChangedEvent) {
	line := p.m.cfg.Logger.WithField("consumer", p.Name)
	switch {
	case e.NewState == circuitbreaker.OpenState && e.OldState == circuitbreaker.ClosedState:
		line.Warn("a consumer is down; its deliveries wait")
	case e.NewState == circuitbreaker.ClosedState:
		line.Warn("a consumer is up again")
	}
}

// health is nil while it is up, and when nothing waits for it that could try whether it is: another node may have done that.
func (p *pool) health() error {
	if p.breaker.IsClosed() || p.idle.Load() && p.breaker.RemainingDelay() == 0 {
		return nil
	}
	if why := p.last.Load(); why != nil {
		return errors.New(*why)
	}
	return errors.New("it is down")
}

func (p *pool) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// feed claims when it is woken, and now and then.
func (p *pool) feed(ctx, run context.Context) {
	tick := time.NewTicker(p.m.cfg.Poll)
	defer tick.Stop()
	after := store.ClaimCursor{}
	for ctx.Err() == nil {
		for none := after == (store.ClaimCursor{}); ctx.Err() == nil; {
			most := p.room()
			if most == 0 {
				break
			}
			n, next, err := p.claim(ctx, run, most, after)
			if err != nil {
				break
			}
			after = next
			if none = none && n == 0; after == (store.ClaimCursor{}) { // every store had its turn
				if none {
					break
				}
				none = n == 0
			}
		}
		select {
		case <-p.wake:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// room is how many more to claim: some at a time, so that a claim is worth its commit, and one to try a consumer that was down.
func (p *pool) room() int {
	held := int(p.held.Load())
	switch {
	case p.silence() > 0:
		return 0
	case p.breaker.IsOpen() && p.breaker.RemainingDelay() > 0:
		return 0
	case !p.breaker.IsClosed():
		return max(0, 1-held)
	case held > p.Concurrency:
		return 0
	}
	return 2*p.Concurrency - held
}

// silence is how long the consumer still wants to hear nothing.
func (p *pool) silence() time.Duration {
	return max(0, time.Duration(p.paused.Load()-time.Now().UnixNano()))
}

// claimPatience bounds a claim. It is not broken off when the pool stops: what was claimed would belong to nobody for a lease.
const claimPatience = 10 * time.Second

// claim takes up to most deliveries and hands them to the workers.
func (p *pool) claim(ctx, run context.Context, most int, after store.ClaimCursor) (n int, next store.ClaimCursor, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimPatience)
	defer cancel()
	c, err := p.m.cfg.Store.ClaimDeliveries(ctx, store.ClaimQuery{Consumer: p.Name, Node: p.m.cfg.Node, Most: most, Lease: p.m.cfg.Lease, After: after})
	if err != nil {
		return 0, after, err // what was claimed all the same comes back when its lease ends
	}
	p.idle.Store(c.Empty)
	for _, d := range c.Deliveries {
		p.held.Add(1)
		key := store.DeliveryLease{Position: d.Position, Generation: d.Generation}
		p.work <- claimed{d, p.m.held.begin(run, key, p.m.cfg.Lease-time.Since(began))}
	}
	return len(c.Deliveries), c.Next, nil
}

// deliver is a worker's life. What is left when the pool stops is let go.
func (p *pool) deliver(feeding context.Context) {
	for c := range p.work {
		var f store.FinishedDelivery
		switch silence := p.silence(); {
		case feeding.Err() != nil:
			f = p.unmade(c.ClaimedDelivery, c.Code, 0)
		case silence > 0:
			f = p.unmade(c.ClaimedDelivery, c.Code, silence)
		default:
			f = p.attempt(c)
		}
		p.m.done <- result{f, p, c.Delivery}
	}
}

// unmade puts a delivery back for which no call was made.
func (p *pool) unmade(d store.ClaimedDelivery, code string, dueIn time.Duration) store.FinishedDelivery {
	return store.FinishedDelivery{
		Position: d.Position, Generation: d.Generation, Stream: d.Stream, Seq: d.Seq, Status: holdfast.DeliveryWaiting, Unmade: true, Code: code, DueIn: dueIn,
	}
}

// attempt makes the call and says what becomes of the delivery.
func (p *pool) attempt(c claimed) store.FinishedDelivery {
	began := time.Now()
	d := c.ClaimedDelivery
	ctx := holdfast.WithRequestContext(c.lease.ctx, d.Context)
	call, err := NewCall(d, p.m.cfg.Open)
	if err != nil {
		return p.finish(d, Result{Verdict: Permanent, Code: "unreadable", Detail: "The transaction can't be read."}, began)
	}
	if p.Files {
		if f, waits := p.waitForFiles(ctx, call); waits {
			return f
		}
	}
	if !p.breaker.TryAcquirePermit() {
		return p.unmade(d, d.Code, 0)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	ctx, ended := p.m.cfg.Trace(ctx, call)
	r := p.Sender.Send(ctx, call)
	ended(r)
	if r.Verdict != Confirmed && errors.Is(context.Cause(c.lease.ctx), errLeaseLost) { // a confirmation counts if nobody took it over
		r = Result{Verdict: Passing, Code: "lease-lost", Detail: "The delivery was taken over."}
	}
	p.judge(r)
	if r.Verdict != Confirmed && c.lease.ctx.Err() != nil { // the gateway broke it off: no try of the delivery's is used up by that
		return p.unmade(d, r.Code, 0)
	}
	return p.finish(d, r, began)
}

// judge tells the breaker.
func (p *pool) judge(r Result) {
	if r.RetryAfter > 0 {
		until := time.Now().Add(min(r.RetryAfter, p.Retry.Most)).UnixNano()
		for before := p.paused.Load(); until > before && !p.paused.CompareAndSwap(before, until); before = p.paused.Load() {
		}
	}
	if r.Verdict == Passing && r.Down {
		why := fmt.Sprintf("%s: %s", r.Code, r.Detail)
		p.last.Store(&why)
		p.breaker.RecordFailure()
		return
	}
	p.breaker.RecordSuccess()
}

// missingFor is how long a delivery waits for its files before they are looked for again: 1 s, doubled up to a minute. An upload
// that ends wakes it earlier.
func missingFor(age time.Duration) time.Duration { return min(max(time.Second, age), time.Minute) }

// waitForFiles puts a delivery back whose files are not all there, and tells the device once.
func (p *pool) waitForFiles(ctx context.Context, c *Call) (store.FinishedDelivery, bool) {
	missing, err := p.m.missing(ctx, c)
	if err != nil {
		return p.unmade(c.ClaimedDelivery, c.Code, p.Retry.First), true
	}
	if len(missing) == 0 {
		return store.FinishedDelivery{}, false
	}
	f := p.unmade(c.ClaimedDelivery, store.CodeMissing, missingFor(time.Since(c.CreatedAt)))
	f.Detail = fmt.Sprintf("%d of %d files are not there yet.", len(missing), len(c.Files))
	if c.Code != store.CodeMissing {
		f.Change = changeOf(&c.ClaimedDelivery, holdfast.ChangeMissing)
		f.Change.Body = []byte(`["` + joinQuoted(missing) + `"]`)
	}
	return f, true
}
