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

// Refuse resets every connection, the open ones and those that come.
func (l *Line) Refuse(yes bool) {
	l.mu.Lock()
	l.refuse = yes
	l.mu.Unlock()
	if yes {
		l.Cut()
	}
}

// Hang lets nothing pass, in either direction, until Hang(false); connections are
// taken and stay. What was held back passes then.
func (l *Line) Hang(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if yes && l.held == nil {
		l.held = make(chan struct{})
	}
	if !yes && l.held != nil {
		close(l.held)
		l.held = nil
	}
}

// CutAfter resets each connection when n more octets went up on it; negative: none.
// Octets are those on the wire, counted from now, or from the connection's
// beginning when it is newer. On an SFTP line the handshake and the login are the
// first two or three thousand of them; [Line.Uploaded] of a good run tells how far
// cuts can go.
func (l *Line) CutAfter(n int64) { l.setCut(n, false) }

// CutOnceAfter is [Line.CutAfter] for the first connection that gets so far; those
// after it are whole.
func (l *Line) CutOnceAfter(n int64) { l.setCut(n, true) }

func (l *Line) setCut(n int64, once bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.once = n, once
	for one := range l.links {
		one.from = one.went
	}
}

// LoseAnswerWhen asks before every piece that goes back to a client; at the first
// yes the connection is reset instead, and nobody is asked again. What the server
// did is done, and the client does not know.
func (l *Line) LoseAnswerWhen(when func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = nil
	if when != nil {
		l.lose = &loss{when}
	}
}

type loss struct{ when func() bool }

// Slow lets so many octets a second go up on each connection; 0: no limit.
func (l *Line) Slow(bytesPerSecond int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = bytesPerSecond
}

// Cut resets every connection that is open.
func (l *Line) Cut() {
	for _, one := range l.open() {
		one.reset()
	}
}

// Cuts is how many connections were reset by CutAfter, CutOnceAfter and LoseAnswerWhen.
func (l *Line) Cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cuts
}

// Uploaded is how many octets went up on the newest connection.
func (l *Line) Uploaded() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest == nil {
		return 0
	}
	return l.newest.went
}

// Heal undoes every fault of the line.
func (l *Line) Heal() {
	l.Refuse(false)
	l.Hang(false)
	l.CutAfter(-1)
	l.LoseAnswerWhen(nil)
	l.Slow(0)
}

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
