package sftp

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session is a connection, used by one delivery at a time.
type session struct {
	conn   net.Conn
	ssh    *ssh.Client
	client *sftp.Client
	used   time.Time
	ended  chan struct{} // closed when the server has ended it
}

// restAfter is how long a connection may rest before another one is made: servers and firewalls forget them.
const restAfter = 30 * time.Second

// dial makes a connection that ends with ctx until it is there.
func (s *Sender) dial(ctx context.Context) (*session, error) {
	ways, err := s.auth()
	if err != nil {
		return nil, err
	}
	hostKey, algorithms, err := s.hostKey()
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.cfg.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	own, chans, reqs, err := ssh.NewClientConn(conn, s.cfg.Address, &ssh.ClientConfig{
		User: s.cfg.User, Auth: ways, HostKeyCallback: hostKey, HostKeyAlgorithms: algorithms, ClientVersion: "SSH-2.0-holdfast",
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	one := &session{conn: conn, ssh: ssh.NewClient(own, chans, reqs)}
	// One request at a time and in order: a server that dies in the middle leaves a beginning, and never a file with holes.
	one.client, err = sftp.NewClient(one.ssh, sftp.UseConcurrentWrites(false), sftp.MaxPacket(32<<10))
	if err != nil {
		one.close()
		return nil, err
	}
	one.ended = make(chan struct{})
	go func() { _ = one.client.Wait(); close(one.ended) }()
	return one, nil
}

// close ends the connection first: a goodbye would wait for a server that is silent.
func (s *session) close() {
	_ = s.conn.Close()
	_ = s.ssh.Close()
	if s.client != nil {
		_ = s.client.Close()
	}
}

// alive says that it may be used again.
func (s *session) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return time.Since(s.used) < restAfter
	}
}

// take is an idle connection, or a new one.
func (s *Sender) take(ctx context.Context) (*session, error) {
	for {
		select {
		case one := <-s.idle:
			if one.alive() {
				return one, nil
			}
			one.close()
		default:
			return s.dial(ctx)
		}
	}
}

// give keeps a connection on which nothing went wrong.
func (s *Sender) give(one *session) {
	one.used = time.Now()
	select {
	case s.idle <- one:
	default:
		one.close()
	}
}

// with lends a connection; it is cut when ctx ends, because the library's calls do not.
func (s *Sender) with(ctx context.Context, do func(*sftp.Client) error) error {
	one, err := s.take(ctx)
	if err != nil {
		return connecting{err}
	}
	stop := context.AfterFunc(ctx, func() { _ = one.conn.Close() })
	err = do(one.client)
	var status *sftp.StatusError
	cut := !stop()
	if cut || err != nil && !errors.As(err, &status) && !errors.Is(err, errConflict) {
		one.close()
	} else {
		s.give(one)
	}
	if cut && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// connecting is why there is no connection.
type connecting struct{ error }

func (c connecting) Unwrap() error { return c.error }

// Close lets go of idle connections.
func (s *Sender) Close() error {
	for {
		select {
		case one := <-s.idle:
			one.close()
		default:
			return nil
		}
	}
}
