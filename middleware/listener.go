package middleware

import (
	"net"
	"sync"
	"time"
)

// ListenerConfig bounds what connections may cost. Zero values mean the defaults.
type ListenerConfig struct {
	// MaxConnections at the same time; those beyond are answered 503 overloaded
	// and closed. Default 10,000.
	MaxConnections int
}

// maxRefusals is how many connections beyond the limit are answered at the same
// time; the next ones are closed without a word.
const maxRefusals = 64

// WrapListener bounds the connections of ln, a listener of plain TCP, and makes the
// refusals of net/http itself, which never reach a handler, answers of the
// protocol: the protocol's header and a problem document. The server has to
// call [ConnState], else only the first answer on a connection is looked at.
func WrapListener(ln net.Listener, cfg ListenerConfig) net.Listener {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 10_000
	}
	return &listener{
		Listener: ln,
		places:   make(chan struct{}, cfg.MaxConnections),
		refusals: make(chan struct{}, maxRefusals),
		answers:  newRawAnswers(),
	}
}

type listener struct {
	net.Listener
	places, refusals chan struct{}
	answers          *rawAnswers
}

// Accept is the next connection that has a place.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &conn{Conn: c, answers: l.answers, fresh: true, leave: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			l.refuse(c)
		}
	}
}

func (l *listener) refuse(c net.Conn) {
	select {
	case l.refusals <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	go func() {
		defer func() { <-l.refusals }()
		_ = c.SetDeadline(time.Now().Add(lingerFor))
		_, _ = c.Write(l.answers.overloaded)
		linger(c)
		_ = c.Close()
	}()
}
