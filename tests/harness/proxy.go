package harness

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between a client and a server and does what networks do.
type Proxy struct {
	Address string
	target  string
	l       net.Listener
	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	// cutAnswers is how many bytes of the server's answers pass before the
	// connection is cut; negative: all.
	cutAnswers atomic.Int64
	refuse     atomic.Bool
}

// NewProxy listens on a free port in front of target (host:port).
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), target: target, l: l, conns: map[net.Conn]struct{}{}}
	p.cutAnswers.Store(-1)
	go p.accept()
	tb.Cleanup(func() { _ = l.Close(); p.CutAll() })
	return p
}

// CutAnswersAfter lets n more bytes of answers pass on each new connection;
// negative for all.
func (p *Proxy) CutAnswersAfter(n int64) { p.cutAnswers.Store(n) }

// Refuse closes new connections at once.
func (p *Proxy) Refuse(yes bool) { p.refuse.Store(yes) }

// CutAll cuts every connection that is open.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		if p.refuse.Load() {
			_ = c.Close()
			continue
		}
		go p.carry(c)
	}
}

func (p *Proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	limit := p.cutAnswers.Load()
	go func() {
		_, _ = io.Copy(server, client)
		if half, ok := server.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
	}()
	if limit < 0 {
		_, _ = io.Copy(client, server)
		return
	}
	_, _ = io.CopyN(client, server, limit)
	_, _ = server.Read(make([]byte, 1)) // the rest of the answer exists, and is lost
}
