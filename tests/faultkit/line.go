package faultkit

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast/internal/testserver"
)

// Line is the network between a client and a server: clients talk to its
// address, and it carries octets until it is told to fail. Every change takes
// effect at once, for connections that are open too.
type Line struct {
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	links    map[*link]struct{}
	refuse   bool
	held     chan struct{} // closed when octets may pass again; nil: they may
	cut      int64         // a connection ends when this many octets went up; negative: never
	once     bool          // the next cut is the only one
	rate     int64         // octets a second upward; 0: no limit
	lose     *loss         // asked before every answer
	cuts     int
	newest   *link
}

// newLine listens on a free port in front of target. It ends with the test.
func newLine(tb testing.TB, target string) *Line {
	tb.Helper()
	l := &Line{target: target, cut: -1, links: map[*link]struct{}{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l.address = listener.Addr().String()
	l.listen(listener)
	tb.Cleanup(l.down)
	return l
}

// Address is host:port of the line, where clients connect.
func (l *Line) Address() string { return l.address }

func (l *Line) open() (all []*link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one := range l.links {
		all = append(all, one)
	}
	return all
}

// down closes the port, so that connections are refused by the kernel, and every connection.
func (l *Line) down() {
	l.mu.Lock()
	if l.listener != nil {
		_ = l.listener.Close()
		l.listener = nil
	}
	l.mu.Unlock()
	l.Cut()
}

// up opens the port again, the same one.
func (l *Line) up() error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		listener, err := net.Listen("tcp", l.address)
		if err == nil {
			l.listen(listener)
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (l *Line) listen(listener net.Listener) {
	l.mu.Lock()
	l.listener = listener
	l.mu.Unlock()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
}

// port is a free one; it is here so that only programs.go and this file know testserver.
func port(tb testing.TB) int {
	tb.Helper()
	return testserver.FreePort(tb)
}
