package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

// ServeCmd starts the gateway.
type ServeCmd struct {
	settingFlags
	Listen    *string `placeholder:"HOST:PORT" help:"The address to listen on; port 0 takes a free one (HOLDFAST_LISTEN)."`
	RedisURL  *string `name:"redis-url" placeholder:"URL" help:"A Redis URL; empty: in memory (HOLDFAST_REDIS_URL)."`
	Auth      *string `placeholder:"MODE" help:"Who may call: open, token or oidc (HOLDFAST_AUTH)."`
	Ring      *string `placeholder:"NAME" help:"The name of the ring of nodes (HOLDFAST_RING)."`
	LogLevel  *string `placeholder:"LEVEL" help:"debug, info, warn or error (HOLDFAST_LOG_LEVEL)."`
	Output    string  `enum:"auto,text,json" default:"auto" help:"text: a log for people, and a curl line to try; json: a log for machines; auto: text on a terminal, else json."`
	ReadyFile string  `placeholder:"FILE" help:"Write the address to this file once requests are served."`
	// hangups ask for the consumers to be read anew.
	hangups chan os.Signal
}

// Help is shown below the flags.
func (ServeCmd) Help() string {
	return `Without settings it runs on one file in ./holdfast-data and listens on 127.0.0.1:8080. The database need not be there at
the start: until it is, /readyz says 503. SIGTERM and SIGINT drain: what runs is finished, the rest is refused
with 503; a second signal ends it at once. SIGHUP reads the consumers of the configuration file anew. Exit code 0 when everything was finished, else 1.

Examples:
  holdfast serve
  HOLDFAST_DATABASE_URL_FILE=/run/secrets/db holdfast serve --listen 0.0.0.0:8080 --auth token`
}

// Run serves until it is told to stop.
func (c *ServeCmd) Run(con *console) error {
	s, err := c.load(con, c.flags()...)
	if err != nil {
		return err
	}
	scanner, err := newScanner(s)
	if err != nil {
		return err
	}
	guarded := con.guardErrors(s)
	logger, err := newLogger(con.err, s.Log.Level, s.Log.Format, con.errTerminal, scanner)
	if err != nil {
		return err
	}
	captureOthers(logger, s.Log.Libraries)
	if guarded != nil {
		logger.WithError(guarded).Warn("what the runtime writes when the program dies is not masked")
	}
	heedMemory(os.DirFS("/"), logger)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	c.hangups = make(chan os.Signal, 1)
	signal.Notify(c.hangups, syscall.SIGHUP)
	defer signal.Stop(c.hangups)
	return c.serve(con, s, logger, signals)
}

// guardErrors masks the error output of the process; con.err is then what it was before.
func (c *console) guardErrors(s *settings.Settings) error {
	if c.guard == nil {
		return nil
	}
	before, err := c.guard("--set", "redaction.keys="+s.Redaction.Keys, "--set", "redaction.patterns="+s.Redaction.Patterns)
	if err != nil {
		return err
	}
	c.err = before
	return nil
}

// flags are those of serve alone.
func (c *ServeCmd) flags() []settings.Flag {
	out := given(
		flagOf{"listen", "--listen", c.Listen}, flagOf{"redisUrl", "--redis-url", c.RedisURL}, flagOf{"auth.mode", "--auth", c.Auth},
		flagOf{"ring", "--ring", c.Ring}, flagOf{"log.level", "--log-level", c.LogLevel},
	)
	if c.Output != "auto" {
		out = append(out, settings.Flag{Key: "log.format", Name: "--output", Text: c.Output})
	}
	return out
}

func (c *ServeCmd) serve(con *console, s *settings.Settings, logger *logrus.Logger, signals <-chan os.Signal) error {
	n, err := newNode(s, logger)
	if err != nil {
		return err
	}
	defer n.close()
	listener, err := listen(s)
	if err != nil {
		return err
	}
	if err := n.listenForMetrics(); err != nil {
		_ = listener.Close()
		return err
	}
	served := n.serve(listener)
	opened := n.openDatabase(n.backend())
	address := listener.Addr().String()
	logger.WithFields(logrus.Fields{"address": address, "version": buildVersion().Version, "node": n.id, "ring": s.Ring}).Info("listening")
	for {
		select {
		case err := <-opened:
			if err != nil {
				return err
			}
			opened = nil
			if err := n.startSealing(); err != nil {
				return err
			}
			n.startDeliveries()
			if err := c.announce(con, s, logger, address); err != nil {
				return err
			}
		case <-c.hangups:
			n.reload(c.sources(con, c.flags()...))
		case err := <-served: // never while nobody asked it to stop
			return failed("the listener failed: %w", err)
		case got := <-signals:
			logger.WithField("signal", got.String()).Info("draining")
			return n.drainUntil(signals)
		}
	}
}

// listen takes the address.
func listen(s *settings.Settings) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.Listen)
	if err != nil {
		advice := "choose another"
		if errors.Is(err, syscall.EADDRINUSE) {
			advice = "something listens there already; stop it or choose another"
		}
		return nil, s.Wrong("listen", fmt.Sprintf("%s can't be listened on (%v); %s", s.Listen, listenReason(err), advice))
	}
	return ln, nil
}

// announce tells people and programs that requests are served now.
func (c *ServeCmd) announce(con *console, s *settings.Settings, logger *logrus.Logger, address string) error {
	logger.WithField("address", address).Info("ready")
	if c.Output == "text" || c.Output == "auto" && con.terminal {
		writeBanner(con.out, s, address, con.now())
	}
	if c.ReadyFile == "" {
		return nil
	}
	return writeWhole(c.ReadyFile, address+"\n")
}

// writeWhole makes a file appear with all of its content.
func writeWhole(path, content string) error {
	fresh := path + ".new"
	err := os.WriteFile(fresh, []byte(content), 0o644) //nolint:gosec // an address is no secret
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return failed("--ready-file: %w", err)
	}
	return nil
}

// drainUntil finishes what runs: first it still answers, so that load balancers
// can turn away, then it stops listening and waits. A second signal ends it at
// once; what was accepted is on disk, so nothing is lost by that.
func (n *node) drainUntil(signals <-chan os.Signal) error {
	n.drain.Begin()
	n.server.SetKeepAlivesEnabled(false)
	drained := make(chan error, 1)
	go func() {
		time.Sleep(n.settings.Limits.DrainGrace)
		n.stop()
		drained <- n.stopServing(n.settings.Limits.DrainTimeout)
	}()
	select {
	case err := <-drained:
		if err != nil {
			return failed("not everything was finished within %s", n.settings.Limits.DrainTimeout)
		}
		n.log.Info("drained")
		return nil
	case <-signals:
		n.ends = nil
		return failed("ended by a second signal while draining")
	}
}
