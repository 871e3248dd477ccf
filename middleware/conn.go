package middleware

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A refused client may still be sending. Closing at once would reset the
// connection and take the answer out of the client's hands, so what comes is
// thrown away, for so long and so many bytes.
const (
	lingerFor   = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// conn is a connection whose raw refusals become answers of the protocol.
//
// net/http writes a refusal of its own with one Write, as the first bytes of an
// answer. A handler's answer is never taken for one: only the first Write after
// the connection was new or idle is looked at, a handler's answer begins with
// its own status line and headers in that Write, and the form is compared
// to its last byte.
type conn struct {
	net.Conn
	answers *rawAnswers
	leave   func()
	// fresh says that no answer has begun since the connection was new or idle.
	// net/http serves a connection in one goroutine, which writes and changes state.
	fresh bool
	// refused says that a refusal went out; a server that is stopped closes from
	// another goroutine.
	refused atomic.Bool
}

// ConnState is for http.Server.ConnState: it tells a connection of
// [WrapListener] that it waits for the next request.
func ConnState(c net.Conn, state http.ConnState) {
	if own, ok := c.(*conn); ok && state == http.StateIdle {
		own.fresh = true
	}
}

// Write passes p on, or what stands for it.
func (c *conn) Write(p []byte) (int, error) {
	if !c.fresh {
		return c.Conn.Write(p)
	}
	if bytes.HasPrefix(p, continueLine) {
		return c.Conn.Write(p)
	}
	c.fresh = false
	answer := c.answers.instead(p)
	if answer == nil {
		return c.Conn.Write(p)
	}
	c.refused.Store(true)
	if n, err := c.Conn.Write(answer); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// ReadFrom keeps the way to sendfile open.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	c.fresh = false
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite ends the answers and leaves the other direction open.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// Close closes the connection, behind a refusal after a moment.
func (c *conn) Close() error {
	defer c.leave()
	if c.refused.Swap(false) {
		linger(c.Conn)
	}
	return c.Conn.Close()
}

func linger(c net.Conn) {
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		_ = cw.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(lingerFor))
	_, _ = io.CopyN(io.Discard, c, lingerBytes)
}
