package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	client "github.com/holdfast-sync/holdfast/client/go"
)

const (
	redrawEvery = 100 * time.Millisecond
	// Where no terminal shows the waiting, a line says so after a while, and again.
	firstNotice = 3 * time.Second
	nextNotice  = 30 * time.Second
)

// progress shows on a terminal how far the sending is, and elsewhere only that
// it waits; for a program it shows nothing.
type progress struct {
	out      io.Writer
	terminal bool
	width    int
	quiet    bool

	mu      sync.Mutex
	trouble string // why nothing moves, empty when it does
	since   time.Time
	noticed time.Time
	drawn   time.Time

	quit chan struct{}
	done chan struct{}
}

func newProgress(con *console, quiet bool) *progress {
	p := &progress{out: con.err, quiet: quiet, width: 80}
	if f, ok := con.err.(*os.File); ok && !p.quiet && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	return p
}

// reading shows how much of the file is checked.
func (p *progress) reading(done, size int64) {
	if now := time.Now(); p.terminal && size > 0 && now.Sub(p.drawn) >= redrawEvery {
		p.drawn = now
		p.draw(fmt.Sprintf("checking the file: %d %%", done*100/size))
	}
}

// hear notes what a stream tells.
func (p *progress) hear(ev client.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case client.EventTaken:
		p.trouble, p.since = "", time.Time{}
	case client.EventRetry:
		p.trouble = shortCause(ev.Cause)
		if p.since.IsZero() {
			p.since = time.Now()
		}
	}
}

// shortCause leaves out what the reader knows: the request.
func shortCause(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}

// start redraws until stop.
func (p *progress) start(r *sending) {
	if p.quiet {
		return
	}
	p.quit, p.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.done)
		tick := time.NewTicker(redrawEvery)
		defer tick.Stop()
		for {
			select {
			case <-p.quit:
				return
			case now := <-tick.C:
				p.refresh(r, now)
			}
		}
	}()
}

// stop ends the drawing and leaves a clean line. It may be called twice.
func (p *progress) stop() {
	if p.quit != nil {
		close(p.quit)
		<-p.done
		p.quit = nil
	}
	if p.terminal {
		p.draw("")
		p.terminal = false
	}
}

func (p *progress) refresh(r *sending, now time.Time) {
	p.mu.Lock()
	trouble, since := p.trouble, p.since
	p.mu.Unlock()
	if p.terminal {
		sum, finished := r.totals()
		p.draw(bar(sum, barTotals{
			transactions: r.journal.Count(), streams: len(r.journal.Streams()), finished: finished,
			elapsed: now.Sub(r.began), trouble: trouble,
		}, p.width))
		return
	}
	if trouble == "" || now.Sub(since) < firstNotice || now.Sub(p.noticed) < nextNotice {
		return
	}
	p.noticed = now
	_, _ = fmt.Fprintf(p.out, "holdfast: still trying after %s: %s\n", now.Sub(since).Round(time.Second), trouble)
}

func (p *progress) draw(text string) { _, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", text) }

type barTotals struct {
	transactions      int64
	streams, finished int
	elapsed           time.Duration
	trouble           string
}

// bar is one line of at most width-1 characters.
func bar(sum client.Progress, t barTotals, width int) string {
	const cells = 20
	share := 1.0
	if t.transactions > 0 {
		share = float64(sum.AcceptedThrough) / float64(t.transactions)
	}
	full := int(share * cells)
	line := fmt.Sprintf("[%s%s] %3.0f %%  %d/%d", strings.Repeat("#", full), strings.Repeat(".", cells-full), share*100, sum.AcceptedThrough, t.transactions)
	if s := t.elapsed.Seconds(); s > 0 {
		line += fmt.Sprintf("  %.0f/s", float64(sum.AcceptedThrough)/s)
	}
	line += fmt.Sprintf("  streams %d/%d  retries %d", t.finished, t.streams, sum.Retries)
	if t.trouble != "" {
		line += "  " + t.trouble
	}
	if text := []rune(line); len(text) > width-1 {
		line = string(text[:max(0, width-1)])
	}
	return line
}
