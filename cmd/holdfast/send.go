package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	client "github.com/holdfast-sync/holdfast/client/go"
)

// exitDiverged: the gateway holds another history of a stream than the file.
const exitDiverged = 4

// SendCmd sends a file of transactions and proves that they are held.
type SendCmd struct {
	File      string        `arg:"" help:"File of JSON lines; - reads standard input."`
	URL       []string      `name:"url" default:"http://127.0.0.1:8080" help:"Base URL of a gateway; given several times, the next one is tried after repeated failures."`
	TokenFile string        `placeholder:"PATH" help:"File that holds the bearer token."`
	Batch     int           `default:"100" help:"Transactions in one request, at most."`
	Parallel  int           `default:"4" help:"Streams sent at the same time."`
	Timeout   time.Duration `default:"0s" help:"Give up after this long; 0s: never."`
	Attempt   time.Duration `name:"attempt-timeout" default:"30s" help:"Wait this long for one answer."`
	Gzip      bool          `help:"Compress requests."`
	outputFlag

	stdin io.Reader // nil: the process's
}

// Help is the long help of the command.
func (*SendCmd) Help() string {
	return `Sends every transaction of FILE, in order, and then asks the gateway for each stream: a run that ends well has seen that
the gateway holds every transaction once, in order, by the digest that it computed itself over the octets of the file.
It goes on through restarts of the gateway; a second run of the same file goes on where the first one stopped.

FILE has one JSON object a line. The lines of several streams may be mixed; those of one stream stand in order, from seq 1:

  {"stream":"<uuid>","store":"0042","device":"ipad-0042-03","user":"u-17","session":"s-9","appVersion":"4.2.0",
   "transaction":{"id":"<uuid>","seq":1,"type":"pick.completed","occurredAt":"2026-11-20T10:15:00.123Z","payload":{}}}

(on one line). Only stream and transaction are required. The whole file is checked before anything is sent.

Examples:
  holdfast send examples/store-day/day.jsonl --url http://127.0.0.1:8080
  holdfast send - --token-file dock-7.token --output json < day.jsonl

Exit codes:
  0    every transaction is held once, in order: digests match
  1    not all are held: the gateway refuses a transaction, or the credentials
  2    wrong usage, or a line of the file can't be sent; nothing was sent
  3    time was up before all were held; a second run goes on
  4    the gateway holds another history of a stream than the file
  130  interrupted; a second run goes on`
}

// Validate is called by the command line's parser.
func (c *SendCmd) Validate() error {
	if c.Batch < 1 || c.Parallel < 1 {
		return errors.New("--batch and --parallel must be at least 1")
	}
	if c.Timeout < 0 || c.Attempt <= 0 {
		return errors.New("--timeout must not be negative, --attempt-timeout must be above 0s")
	}
	return nil
}

// Run sends the file.
func (c *SendCmd) Run(ctx context.Context, con *console) error {
	input, err := openInput(ctx, c.File, c.stdin)
	if err != nil {
		return usage("%w; nothing was sent", err)
	}
	defer input.Close()
	show := newProgress(con, c.Output == "json")
	defer show.stop()
	j, err := input.read(show)
	if ctx.Err() != nil {
		return &codedError{exitInterrupted, errors.New("interrupted while checking the file; nothing was sent")}
	}
	if err != nil {
		return usage("%s: %w; nothing was sent", c.File, err)
	}
	r := newSending(j, c.Parallel, show)
	if r.client, err = c.client(r.observe); err != nil {
		return usage("%w", err)
	}
	limited, cancel := c.limit(ctx)
	defer cancel()
	show.start(r)
	ended := r.all(limited)
	show.stop()
	summary, err := r.summary(c.File)
	if err != nil {
		return failed("%w", err)
	}
	failure := r.failure(&summary, ended)
	if failure != nil {
		summary.Message = failure.Error()
	}
	return errors.Join(failure, c.write(con, summary, summary.print))
}

var errTimeIsUp = errors.New("time is up (--timeout)")

func (c *SendCmd) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.Timeout, errTimeIsUp)
}

func (c *SendCmd) client(observe func(client.Event)) (*client.Client, error) {
	cfg := client.Config{
		Endpoints: c.URL, UserAgent: "holdfast-send", MaxTransactions: c.Batch, Timeout: c.Attempt,
		Gzip: c.Gzip, Observe: observe,
		// One client on a command line is no herd: it comes back sooner than a fleet may.
		Retry: client.RetryPolicy{Base: 150 * time.Millisecond, Cap: 2 * time.Second},
	}
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if cfg.Token = strings.TrimSpace(string(token)); cfg.Token == "" {
			return nil, fmt.Errorf("--token-file: %s is empty", c.TokenFile)
		}
	}
	cl, err := client.New(cfg)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "client: "))
	}
	return cl, nil
}
