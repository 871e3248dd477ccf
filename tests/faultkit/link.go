package faultkit

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one connection over a [Line].
type link struct {
	line           *Line
	client, server net.Conn
	gone           chan struct{}
	once           sync.Once
	went           int64 // octets upward
	from           int64 // where the count for a cut begins
}

var errCut = errors.New("cut by the test")

func (l *Line) carry(client net.Conn) {
	one := &link{line: l, client: client, gone: make(chan struct{})}
	l.mu.Lock()
	refused := l.refuse || l.listener == nil
	if !refused {
		l.links[one] = struct{}{}
		l.newest = one
	}
	l.mu.Unlock()
	if refused {
		abort(client)
		return
	}
	server, err := net.Dial("tcp", l.target)
	if err != nil {
		one.reset()
		return
	}
	l.mu.Lock()
	one.server = server
	l.mu.Unlock()
	select {
	case <-one.gone: // reset while we dialled
		_ = server.Close()
		return
	default:
	}
	var halves sync.WaitGroup
	halves.Go(func() { one.pump(server, client, one.upward) })
	halves.Go(func() { one.pump(client, server, one.downward) })
	halves.Wait()
	one.close(false)
}

// pump copies until the end, which it hands on as what it was: an end or a reset.
func (k *link) pump(to, from net.Conn, pass func(piece []byte) (int, error)) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		for rest := b[:n]; len(rest) > 0; {
			part, failed := pass(rest)
			if part > 0 {
				if _, err := to.Write(rest[:part]); err != nil {
					failed = err
				}
			}
			if failed != nil {
				k.reset()
				return
			}
			rest = rest[part:]
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		case err != nil:
			k.reset()
			return
		}
	}
}

// wait returns when octets may pass.
func (k *link) wait() error {
	k.line.mu.Lock()
	held := k.line.held
	k.line.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-k.gone:
		return errCut
	}
}

// upward says how much of a piece may go to the server now.
func (k *link) upward(piece []byte) (int, error) {
	if err := k.wait(); err != nil {
		return 0, err
	}
	l := k.line
	l.mu.Lock()
	n, rate := len(piece), l.rate
	if rate > 0 {
		n = min(n, max(1, int(rate/50)))
	}
	var err error
	if l.cut >= 0 && k.went+int64(n) >= k.from+l.cut {
		n, err = int(max(0, k.from+l.cut-k.went)), errCut
		l.cuts++
		if l.once {
			l.cut = -1
		}
	}
	k.went += int64(n)
	l.mu.Unlock()
	if rate > 0 {
		select {
		case <-time.After(time.Duration(int64(n) * int64(time.Second) / rate)):
		case <-k.gone:
		}
	}
	return n, err
}

// downward passes answers, unless the moment has come to lose one.
func (k *link) downward(piece []byte) (int, error) {
	if err := k.wait(); err != nil {
		return 0, err
	}
	l := k.line
	l.mu.Lock()
	lose := l.lose
	l.mu.Unlock()
	if lose == nil || !lose.when() {
		return len(piece), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose != lose { // another connection was it
		return len(piece), nil
	}
	l.lose = nil
	l.cuts++
	return 0, errCut
}

// reset ends the connection: the client sees a reset, the server an end, so that
// what had come through is the server's.
func (k *link) reset() { k.close(true) }

func (k *link) close(reset bool) {
	k.once.Do(func() {
		close(k.gone)
		k.line.mu.Lock()
		delete(k.line.links, k)
		server := k.server
		k.line.mu.Unlock()
		if reset {
			abort(k.client)
		} else {
			_ = k.client.Close()
		}
		if server != nil {
			_ = server.Close()
		}
	})
}

// abort closes with a reset.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
