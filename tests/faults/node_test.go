package faults_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/tests/harness"
)

// P2: sixteen identical requests at once, on one node and across three.
func TestSixteenIdenticalRequests(t *testing.T) {
	harness.EachStore(t, 3, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		for round := range 20 {
			s := harness.NewStream(round)
			var mu sync.Mutex
			var wg sync.WaitGroup
			first := 0
			var bodies [][]byte
			for i := range 16 {
				wg.Go(func() {
					n := c.Nodes[i%len(c.Nodes)]
					a, err := harness.Do("POST", n.URL+s.Path("/batches"), s.Body(1, 20), harness.JSON(harness.ID(1, round))...)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						t.Error(err)
					case a.Code() == "request-in-progress" && a.Number("Retry-After") >= 1 && a.Number("Holdfast-Epoch") == 1:
					case a.Status != 201:
						t.Errorf("%d %s", a.Status, a.Body)
					default:
						bodies = append(bodies, a.Body)
						if a.Header.Get("Idempotency-Replayed") == "" {
							first++
						}
					}
				})
			}
			wg.Wait()
			if first != 1 {
				t.Fatalf("round %d: %d requests did the work", round, first)
			}
			for _, b := range bodies {
				if !bytes.Equal(b, bodies[0]) {
					t.Fatalf("two answers:\n%s\n%s", bodies[0], b)
				}
			}
			s.Check(t, c.Nodes[0], 20)
		}
	})
}

// P2, P3: a queue that is sliced anew on every try, on whichever node.
func TestReslicedQueue(t *testing.T) {
	harness.EachStore(t, 3, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		random := rand.New(rand.NewPCG(1, 2))
		s := harness.NewStream(1)
		var wg sync.WaitGroup
		for attempt := range 120 {
			first := 1 + random.Int64N(60)
			last := first + random.Int64N(40)
			wg.Go(func() {
				a, err := harness.Do("POST", c.Nodes[attempt%len(c.Nodes)].URL+s.Path("/batches"), s.Body(first, last), harness.JSON(harness.ID(2, attempt))...)
				if err != nil || a.Status >= 300 && a.Code() != "sequence-gap" {
					t.Errorf("%d to %d: %v %d %s", first, last, err, a.Status, a.Body)
				}
			})
			if attempt%6 == 5 {
				wg.Wait()
			}
		}
		wg.Wait()
		if a := s.Send(c.Nodes[0], harness.ID(3, 1), 1, 100); a.Status >= 300 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		s.Check(t, c.Nodes[len(c.Nodes)-1], 100)
	})
}

// The answer is lost after the commit; the retry is a replay.
func TestTheAnswerIsLost(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		s := harness.NewStream(1)
		proxy := harness.NewProxy(t, c.Nodes[0].Address)
		for i, bytes := range []int64{0, 1, 17, 200, 500} {
			proxy.CutAnswersAfter(bytes)
			first := int64(i*4 + 1)
			header := harness.JSON(harness.ID(1, i), "Connection", "close")
			if a, err := harness.Do("POST", "http://"+proxy.Address+s.Path("/batches"), s.Body(first, first+3), header...); err == nil {
				t.Fatalf("an answer came through: %d", a.Status)
			}
			a := s.Send(c.Nodes[len(c.Nodes)-1], harness.ID(1, i), first, first+3)
			if a.Status != 201 || a.Header.Get("Idempotency-Replayed") != "true" && a.Code() == "" && strings.Contains(string(a.Body), "duplicate") {
				t.Fatalf("%d %v %s", a.Status, a.Header, a.Body)
			}
		}
		s.Check(t, c.Nodes[0], 20)
	})
}

// P1: kill -9 of nodes under load. Every transaction that a device was told is
// accepted is there, once, in order, whatever happened to the answers.
func TestKillNine(t *testing.T) {
	harness.EachStore(t, 2, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		const size = 3
		random := rand.New(rand.NewPCG(3, 4))
		devices := fleet(t, c.Nodes, 12, size, func() {
			for round := range 20 {
				n := c.Nodes[round%len(c.Nodes)]
				progress(t, n, 12, 60)
				<-time.After(time.Duration(random.IntN(20)) * time.Millisecond) // any moment
				n.Restart()
			}
		})
		through, seen := total(devices)
		if through < 500 || seen["none"] == 0 {
			t.Fatalf("%d transactions, answers %v: this was no test", through, seen)
		}
		settle(t, c.Nodes, devices, size)
	})
}

// Two devices use one stream, each with its own history: one wins, the other is
// told, nothing is mixed.
func TestTwoDevicesClaimOneStream(t *testing.T) {
	harness.EachStore(t, 3, harness.Options{}, func(t *testing.T, c *harness.Cluster) {
		for round := range 10 {
			id := harness.NewStream(round).ID
			var wg sync.WaitGroup
			var mu sync.Mutex
			won := map[int]int{}
			for side := range 2 {
				history := harness.NewStream(1000 + round*2 + side)
				wg.Go(func() {
					for at := int64(1); at <= 20; at += 2 {
						a, err := harness.Do("POST", c.Nodes[(side+int(at))%len(c.Nodes)].URL+"/v1/streams/"+id.String()+"/batches", history.Body(at, at+1),
							harness.JSON(harness.ID(50+side, round<<8|int(at)))...)
						switch {
						case err != nil:
							t.Error(err)
						case a.Status == 201:
							mu.Lock()
							won[side]++
							mu.Unlock()
							continue
						case a.Code() != "stream-forked":
							t.Errorf("%d %s", a.Status, a.Body)
						}
						return
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("both histories were accepted: %v", won)
			}
		}
	})
}

// Memory stays bounded under many large bodies at once; what does not fit is
// told so, and nothing is half stored.
func TestManyLargeBodies(t *testing.T) {
	config := "limits:\n  inFlightBytes: 32MiB\n"
	n := harness.Start(t, harness.Options{Config: config})
	s := harness.NewStream(1)
	padding := bytes.Repeat([]byte(" "), 3<<20)
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			a, err := harness.Do("POST", n.URL+s.Path("/batches"), append(bytes.Clone(s.Body(1, 1)), padding...), harness.JSON(harness.ID(1, i))...)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				seen["none"]++
				return
			}
			seen[fmt.Sprintf("%d %s", a.Status, a.Code())]++
		})
	}
	wg.Wait()
	peak := harness.PeakMemory(n.PID())
	t.Logf("answers %v, peak memory %d MiB", seen, peak>>20)
	if peak > 256<<20 {
		t.Fatalf("the node took %d MiB", peak>>20)
	}
	for answer := range seen {
		switch answer {
		case "201 ", "200 ", "503 overloaded", "none":
		default:
			t.Errorf("answer %q", answer)
		}
	}
	if a := s.Send(n, harness.ID(2, 1), 1, 1); a.Status >= 300 {
		t.Fatalf("afterwards: %d %s", a.Status, a.Body)
	}
	s.Check(t, n, 1)
}
