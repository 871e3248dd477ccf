package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-sync/holdfast/store"
)

type silent struct{}

func (silent) Send(context.Context, *Call) Result { return Result{} }
func (silent) Close() error                       { return nil }

// What is before a consumer is everything that its arrows lead to, each once, the nearest first; only what leads back to itself is refused.
func TestGraphIsTheClosureOfItsArrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "consumers")
		arrows := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3), n, n).Draw(t, "after")
		reach := make([][]int, n) // the least number of steps from one to another, Floyd and Warshall
		all := make([]Consumer, n)
		for i := range n {
			reach[i] = slices.Repeat([]int{math.MaxInt32}, n)
			all[i] = Consumer{Name: fmt.Sprintf("c%d", i), Sender: silent{}}
			for _, j := range arrows[i] {
				all[i].After = append(all[i].After, fmt.Sprintf("c%d", j))
				reach[i][j] = 1
			}
		}
		circle := false
		for k := range n {
			for i := range n {
				for j := range n {
					reach[i][j] = min(reach[i][j], reach[i][k]+reach[k][j])
				}
			}
		}
		for i := range n {
			circle = circle || reach[i][i] < math.MaxInt32
		}
		g, err := newGraph(all)
		if circle != (err != nil) || (Check(all) != nil) != circle {
			t.Fatalf("circle %t: %v", circle, err)
		}
		if err != nil {
			way := strings.Split(strings.SplitN(err.Error(), ": ", 2)[1], " after ")
			for i := range len(way) - 1 {
				if !slices.Contains(all[slices.IndexFunc(all, func(c Consumer) bool { return c.Name == way[i] })].After, way[i+1]) {
					t.Fatal("no such way:", err)
				}
			}
			if way[0] != way[len(way)-1] || len(way) < 2 {
				t.Fatal("it does not come back:", err)
			}
			return
		}
		for i := range n {
			last, want := 0, 0
			for j := range n {
				if reach[i][j] < math.MaxInt32 {
					want++
				}
			}
			for _, name := range g[i].After {
				j := g.index(name)
				if reach[i][j] == math.MaxInt32 || reach[i][j] < last {
					t.Fatalf("%s before %s: %v", name, g[i].Name, g[i].After)
				}
				last = reach[i][j]
			}
			if len(g[i].After) != want || len(slices.Compact(slices.Sorted(slices.Values(g[i].After)))) != want {
				t.Fatalf("before %s: %v", g[i].Name, g[i].After)
			}
		}
	})
}

// Many ways between the same consumers cost nothing.
func TestGraphOfManyWays(t *testing.T) {
	var all []Consumer
	for layer := range 40 {
		for n := range 3 {
			c := Consumer{Name: fmt.Sprintf("c%d-%d", layer, n), Sender: silent{}}
			for m := range 3 * min(layer, 1) {
				c.After = append(c.After, fmt.Sprintf("c%d-%d", layer-1, m))
			}
			all = append(all, c)
		}
	}
	if g, err := newGraph(all); err != nil || len(g[len(g)-1].After) != 39*3 {
		t.Fatal(err)
	}
}

func TestConsumersThatCanNotBe(t *testing.T) {
	for want, change := range map[string]func(c *Consumer){
		"a consumer's name has 1 to 63 of a-z, 0-9, - and _ and begins with a letter, not \"A\"": func(c *Consumer) { c.Name = "A" },
		"order must be key, stream or none":        func(c *Consumer) { c.Order = "any" },
		"concurrency must be from 1 to 256":        func(c *Consumer) { c.Concurrency = 257 },
		"timeout must be from 1ms to 1h":           func(c *Consumer) { c.Timeout = time.Microsecond },
		"retry must have first of at least 1ms":    func(c *Consumer) { c.Retry.First, c.Retry.Most = time.Hour, time.Minute },
		"breaker must have failures of at least 1": func(c *Consumer) { c.Breaker.Failures = -1 },
		"no sender": func(c *Consumer) { c.Sender = nil },
		"types must be names such as pick.completed, or pick.* for a family":    func(c *Consumer) { c.Types = []string{"pick.**"} },
		"c comes after a consumer that is not there: d":                         func(c *Consumer) { c.After = []string{"d"} },
		"c comes after itself: c after c":                                       func(c *Consumer) { c.After = []string{"c"} },
		"other is given twice":                                                  func(c *Consumer) { c.Name = "other" },
		"retry must have first of at least 1ms, most of at least first, and no": func(c *Consumer) { c.Retry.Attempts = -1 },
	} {
		c := Consumer{Name: "c", Sender: silent{}}
		change(&c)
		if err := Check([]Consumer{{Name: "other", Sender: silent{}}, c}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
	if err := Check([]Consumer{{Name: "c", Sender: silent{}, After: []string{"d"}}}); !errors.Is(err, errUnknown) {
		t.Error(err)
	}
}

func TestWhatAConsumerWants(t *testing.T) {
	for _, c := range []struct {
		types, shops, typ, shop string
		want                    bool
	}{
		{"", "", "x", "s", true},
		{"*", "", "x", "s", true},
		{"pick.completed", "", "pick.completed", "s", true},
		{"pick.completed", "", "pick.completed.x", "s", false},
		{"pick.completed", "", "pick.complete", "s", false},
		{"pick.*", "", "pick.completed", "s", true},
		{"pick.*", "", "pick.", "s", true},
		{"pick.*", "", "pick", "s", false},
		{"pick.*", "", "picking.x", "s", false},
		{"a pick.*", "", "pick.x", "s", true},
		{"pick.*", "", "pick.*", "s", true},
		{"", "s t", "x", "t", true},
		{"", "s t", "x", "u", false},
		{"", "s", "x", "", false},
		{"a", "s", "b", "s", false},
	} {
		consumer := Consumer{Types: strings.Fields(c.types), Shops: strings.Fields(c.shops)}
		if consumer.wants(c.typ, c.shop) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

// A pause is never below 0, never above what was configured, and never earlier than the consumer asked for, which is an hour at most.
func TestPausesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Retry{First: time.Duration(rapid.Int64Range(1e6, math.MaxInt64/2).Draw(t, "first"))}
		r.Most = time.Duration(rapid.Int64Range(int64(r.First), math.MaxInt64/2).Draw(t, "most"))
		random := rapid.Float64Range(0, 1).Draw(t, "random")
		asked := time.Duration(rapid.Int64Range(-1, math.MaxInt64).Draw(t, "asked"))
		attempts := rapid.Int64Range(0, math.MaxInt64).Draw(t, "attempts")
		p := &pool{Consumer: Consumer{Retry: r}, m: &Machine{cfg: Config{Random: func() float64 { return random }}}}
		got, least := p.pause(attempts, asked), max(0, min(asked, time.Hour))
		if got < least || got > max(r.Most, least) {
			t.Fatal(got)
		}
		if attempts >= 1 && attempts < 20 && r.First < time.Hour {
			if most := min(r.Most, r.First<<(attempts-1)); got > max(most, least) || random == 1 && got < most-time.Microsecond {
				t.Fatal(got, "after", attempts, "attempts, not", most)
			}
		}
	})
}

func TestWhenItWasTriedEnough(t *testing.T) {
	for _, c := range []struct {
		retry    Retry
		attempts int64
		age      time.Duration
		want     bool
	}{
		{Retry{}, 1 << 40, 1e6 * time.Hour, false},
		{Retry{Attempts: 3}, 2, 0, false},
		{Retry{Attempts: 3}, 3, 0, true},
		{Retry{Attempts: 3}, 4, 0, true},
		{Retry{For: time.Hour}, 100, 59 * time.Minute, false},
		{Retry{For: time.Hour}, 1, time.Hour, true},
		{Retry{Attempts: 3, For: time.Hour}, 1, 2 * time.Hour, true},
	} {
		p := &pool{Consumer: Consumer{Retry: c.retry}}
		d := &store.ClaimedDelivery{}
		d.Attempts, d.CreatedAt = c.attempts, time.Now().Add(-c.age)
		if p.exhausted(d) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
