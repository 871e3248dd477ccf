// Package history_test checks what concurrent clients saw against the one
// sequential meaning that a stream has.
package history_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// call is what a client asked of one stream: to take first to last of the one
// history, or (last 0) how far it has come.
type call struct{ stream, first, last int64 }

// reply is what it was told. unknown: no answer, or one that leaves it open.
type reply struct {
	kind    string // accepted, duplicates, gap, state, refused, unknown
	through int64
}

// model: the state of a stream is how far it has come. Every client sends
// slices of the same history, so nothing can fork.
var model = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byStream := map[int64][]porcupine.Operation{}
		for _, op := range history {
			stream := op.Input.(call).stream
			byStream[stream] = append(byStream[stream], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byStream {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{int64(0)} },
	Step: func(state, input, output any) []any {
		through, c, r := state.(int64), input.(call), output.(reply)
		after := max(through, c.last)
		switch r.kind {
		case "state":
			if r.through == through {
				return []any{through}
			}
		case "gap":
			if c.first > through+1 && r.through == through {
				return []any{through}
			}
		case "accepted", "duplicates": // accepted may be a replay, with today's watermarks
			if c.first <= through+1 && r.through == after {
				return []any{after}
			}
		case "refused":
			return []any{through}
		case "unknown":
			if c.first <= through+1 {
				return []any{through, after}
			}
			return []any{through}
		}
		return nil
	},
	Equal:             func(a, b any) bool { return a.(int64) == b.(int64) },
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

func TestConcurrentClientsSeeOneHistory(t *testing.T) {
	harness.EachStore(t, 3, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		const clients, calls, streams = 8, 60, 3
		var mu sync.Mutex
		var history []porcupine.Operation
		start := time.Now()
		var wg sync.WaitGroup
		for client := range clients {
			random := rand.New(rand.NewPCG(7, uint64(client)))
			wg.Go(func() {
				for i := range calls {
					in := call{stream: random.Int64N(streams)}
					if random.IntN(4) > 0 {
						in.first = max(1, int64(i)+random.Int64N(12)-8)
						in.last = in.first + random.Int64N(6)
					}
					began := time.Since(start)
					out := ask(c.Nodes[random.IntN(len(c.Nodes))], in, client<<16|i)
					op := porcupine.Operation{ClientId: client, Input: in, Call: int64(began), Output: out, Return: int64(time.Since(start))}
					mu.Lock()
					history = append(history, op)
					mu.Unlock()
				}
			})
		}
		wg.Add(1)
		go func() { // a node dies and comes back while they are at it
			defer wg.Done()
			for range 3 {
				mu.Lock()
				before := len(history)
				mu.Unlock()
				harness.Eventually(t, 10*time.Second, func() error {
					mu.Lock()
					defer mu.Unlock()
					if len(history) < min(before+40, clients*calls) {
						return fmt.Errorf("%d calls", len(history))
					}
					return nil
				})
				c.Nodes[len(c.Nodes)-1].Restart()
			}
		}()
		wg.Wait()
		kinds := map[string]int{}
		for _, op := range history {
			kinds[op.Output.(reply).kind]++
		}
		t.Logf("%d calls: %v", len(history), kinds)
		if kinds["accepted"] < 20 || kinds["gap"] == 0 || kinds["duplicates"] == 0 {
			t.Fatal("this was no test")
		}
		if result := porcupine.CheckOperationsTimeout(model.ToModel(), history, time.Minute); result != porcupine.Ok {
			t.Fatalf("the history has no sequential meaning: %v", result)
		}
	})
}

// A model that accepts anything would prove nothing.
func TestTheModelCanFail(t *testing.T) {
	at := func(from, to int64, in call, out reply) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: from, Return: to}
	}
	send := at(0, 1, call{0, 1, 5}, reply{"accepted", 5})
	for name, second := range map[string]porcupine.Operation{
		"a watermark fell":      at(2, 3, call{0, 0, 0}, reply{"state", 4}),
		"a gap where none is":   at(2, 3, call{0, 6, 7}, reply{"gap", 5}),
		"accepted over a gap":   at(2, 3, call{0, 8, 9}, reply{"accepted", 9}),
		"more than was sent":    at(2, 3, call{0, 6, 7}, reply{"accepted", 8}),
		"an answer of the past": at(2, 3, call{0, 3, 5}, reply{"duplicates", 3}),
	} {
		if porcupine.CheckOperations(model.ToModel(), []porcupine.Operation{send, second}) {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func ask(n *harness.Node, in call, correlation int) reply {
	s := harness.NewStream(int(in.stream))
	if in.last == 0 {
		a, err := harness.Do("GET", n.URL+s.Path(""), nil)
		if err != nil || a.Status != 200 {
			return reply{kind: "refused"}
		}
		return reply{"state", a.Number("Holdfast-Accepted-Through")}
	}
	a, err := harness.Do("POST", n.URL+s.Path("/batches"), s.Body(in.first, in.last), harness.JSON(harness.ID(9, correlation))...)
	for began := time.Now(); errors.Is(err, syscall.ECONNREFUSED) && time.Since(began) < 20*time.Second; {
		time.Sleep(5 * time.Millisecond) // nobody is there yet, so nothing was taken
		a, err = harness.Do("POST", n.URL+s.Path("/batches"), s.Body(in.first, in.last), harness.JSON(harness.ID(9, correlation))...)
	}
	switch {
	case err != nil || a.Code() == "outcome-unknown" || a.Status >= 500 && a.Status != 503:
		return reply{kind: "unknown"}
	case a.Status == 201:
		return reply{"accepted", a.Number("Holdfast-Accepted-Through")}
	case a.Status == 200:
		return reply{"duplicates", a.Number("Holdfast-Accepted-Through")}
	case a.Code() == "sequence-gap":
		return reply{"gap", a.Number("Holdfast-Accepted-Through")}
	case a.Status == 503:
		return reply{kind: "refused"}
	}
	return reply{kind: fmt.Sprintf("%d %s", a.Status, a.Body)}
}
