package delivery

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Order says what must stay in order at a consumer.
type Order string

// The orders.
const (
	OrderKey    Order = "key"    // what has the same orderKey, else the same entity, else is of the same stream
	OrderStream Order = "stream" // what is of the same stream
	OrderNone   Order = "none"   // nothing
)

// Retry says when an attempt that failed is made again: after a random time up to First, doubled each time up to Most (full jitter,
// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
type Retry struct {
	First, Most time.Duration
	Attempts    int64         // at most so many; 0: no limit
	For         time.Duration // since acceptance was planned; 0: no limit
}

// Breaker says when a consumer is left alone.
type Breaker struct {
	Failures int           // in a row
	Rest     time.Duration // before one delivery tries again
}

// Consumer is a system behind the gateway.
type Consumer struct {
	Name  string
	Types []string // pick.completed, or pick.* for a family; none: all
	Shops []string // none: all
	// After are the consumers that must have delivered a transaction before, if they want it.
	After       []string
	Order       Order
	Concurrency int
	Timeout     time.Duration // of one attempt
	Retry       Retry
	Breaker     Breaker
	// Fail gives up what can't be delivered; else it is held for an operator, and its lane with it.
	Fail bool
	// Files says that the transaction's files must be there.
	Files  bool
	Sender Sender
}

// Sender makes calls of one consumer.
type Sender interface {
	// Send makes one attempt. It returns soon after ctx is done, and may be called from many goroutines.
	Send(ctx context.Context, c *Call) Result
	// Close lets go of connections.
	Close() error
}

// Verdict says what an attempt came to.
type Verdict int

// The verdicts.
const (
	Passing   Verdict = iota // it may work later
	Permanent                // it never will as it is
	Confirmed                // the consumer has it
)

// Result is what an attempt came to.
type Result struct {
	Verdict   Verdict
	Reference string
	// Code names the failure in a few words with hyphens, Detail explains it; neither holds anything of an answer.
	Code, Detail string
	// Down says that the consumer is at fault, not the transaction: the breaker counts it.
	Down       bool
	RetryAfter time.Duration // as the consumer asked for
}

var consumerName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// withDefaults fills in what is not said.
func (c Consumer) withDefaults() Consumer {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&c.Timeout, 10*time.Second)
	set(&c.Retry.First, time.Second)
	set(&c.Retry.Most, 5*time.Minute)
	set(&c.Breaker.Rest, 10*time.Second)
	if c.Order == "" {
		c.Order = OrderKey
	}
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	if c.Breaker.Failures == 0 {
		c.Breaker.Failures = 5
	}
	return c
}

// validate says what can't be.
func (c Consumer) validate() error {
	switch {
	case !consumerName.MatchString(c.Name):
		return fmt.Errorf("a consumer's name has 1 to 63 of a-z, 0-9, - and _ and begins with a letter, not %q", c.Name)
	case c.Order != OrderKey && c.Order != OrderStream && c.Order != OrderNone:
		return fmt.Errorf("%s: order must be key, stream or none", c.Name)
	case c.Concurrency < 1 || c.Concurrency > 256:
		return fmt.Errorf("%s: concurrency must be from 1 to 256", c.Name)
	case c.Timeout < time.Millisecond || c.Timeout > time.Hour:
		return fmt.Errorf("%s: timeout must be from 1ms to 1h", c.Name)
	case c.Retry.First < time.Millisecond || c.Retry.Most < c.Retry.First || c.Retry.Attempts < 0 || c.Retry.For < 0:
		return fmt.Errorf("%s: retry must have first of at least 1ms, most of at least first, and nothing below 0", c.Name)
	case c.Breaker.Failures < 1 || c.Breaker.Rest < time.Millisecond:
		return fmt.Errorf("%s: breaker must have failures of at least 1 and rest of at least 1ms", c.Name)
	case c.Sender == nil:
		return fmt.Errorf("%s: no sender", c.Name)
	}
	for _, pattern := range c.Types {
		if pattern == "" || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") {
			return fmt.Errorf("%s: types must be names such as pick.completed, or pick.* for a family, not %q", c.Name, pattern)
		}
	}
	return nil
}

// wants says whether a transaction goes there.
func (c *Consumer) wants(typ, shop string) bool {
	if len(c.Shops) > 0 && !slices.Contains(c.Shops, shop) {
		return false
	}
	return len(c.Types) == 0 || slices.ContainsFunc(c.Types, func(pattern string) bool {
		family, isFamily := strings.CutSuffix(pattern, "*")
		return pattern == typ || isFamily && strings.HasPrefix(typ, family)
	})
}

// graph is the consumers with all that come before each.
type graph []Consumer

// Check says whether consumers fit together: names once, no unknown ones in after, and no circle.
func Check(all []Consumer) error {
	_, err := newGraph(all)
	return err
}

func newGraph(all []Consumer) (graph, error) {
	g := make(graph, len(all))
	for i, c := range all {
		g[i] = c.withDefaults()
		if err := g[i].validate(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(g[:i], func(other Consumer) bool { return other.Name == c.Name }) {
			return nil, fmt.Errorf("%s is given twice", c.Name)
		}
	}
	before := make([][]string, len(g))
	for i := range g {
		var err error
		if before[i], err = g.before(g[i].Name); err != nil {
			return nil, err
		}
	}
	for i := range g {
		g[i].After = before[i]
	}
	return g, nil
}

var errUnknown = errors.New("comes after a consumer that is not there")

// before are all that come before a consumer, each once, the nearest first.
func (g graph) before(name string) (all []string, err error) {
	behind := map[string]string{} // who named it
	queue := []string{name}
	for len(queue) > 0 {
		one := queue[0]
		queue = queue[1:]
		for _, other := range g[g.index(one)].After {
			switch {
			case other == name:
				return nil, fmt.Errorf("%s comes after itself: %s", name, circle(name, one, behind))
			case g.index(other) < 0:
				return nil, fmt.Errorf("%s %w: %s", one, errUnknown, other)
			case behind[other] == "":
				behind[other] = one
				all, queue = append(all, other), append(queue, other)
			}
		}
	}
	return all, nil
}

func (g graph) index(name string) int {
	return slices.IndexFunc(g, func(c Consumer) bool { return c.Name == name })
}

// circle tells the way from a consumer to itself, last being the one that closes it.
func circle(name, last string, behind map[string]string) string {
	way := []string{name}
	for one := last; one != name; one = behind[one] {
		way = append(way, one)
	}
	way = append(way, name)
	slices.Reverse(way)
	return strings.Join(way, " after ")
}
