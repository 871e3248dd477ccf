package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
)

const allHeld = "every transaction is held once, in order: digests match"

// sendSummary is the answer of holdfast send --output json.
type sendSummary struct {
	OK           bool                 `json:"ok"`
	Message      string               `json:"message"`
	File         string               `json:"file"`
	Transactions int64                `json:"transactions"`
	Held         int64                `json:"held"` // proved by a digest
	Batches      int64                `json:"batches"`
	Accepted     int64                `json:"accepted"`
	Duplicates   int64                `json:"duplicates"`
	Quarantined  int64                `json:"quarantined"`
	Retries      int64                `json:"retries"`
	Rewinds      int64                `json:"rewinds"`
	Epoch        int64                `json:"epoch"`
	Seconds      float64              `json:"seconds"`
	PerSecond    float64              `json:"perSecond"`
	Streams      []streamSummary      `json:"streams"`
	Set          []client.Quarantined `json:"setAside,omitempty"` // the first of the quarantined
}

type streamSummary struct {
	Stream          holdfast.ID `json:"stream"`
	Device          string      `json:"device,omitempty"`
	Transactions    int64       `json:"transactions"`
	AcceptedThrough int64       `json:"acceptedThrough"`
	DurableThrough  int64       `json:"durableThrough"`
	Quarantined     int64       `json:"quarantined"` // of all that the gateway holds
	Digest          string      `json:"digest"`      // computed here, at the last transaction
	Verified        bool        `json:"verified"`
	Problem         string      `json:"problem,omitempty"`
}

func (r *sending) summary(file string) (sendSummary, error) {
	sum, _ := r.totals()
	s := sendSummary{
		OK: true, Message: allHeld, File: file, Transactions: r.journal.Count(), Held: sum.AcceptedThrough,
		Batches: sum.Batches, Accepted: sum.Accepted, Duplicates: sum.Duplicates, Quarantined: sum.Quarantined,
		Retries: sum.Retries, Rewinds: sum.Rewinds, Epoch: sum.Epoch, Set: r.quarantined,
		Seconds: r.took.Seconds(), Streams: []streamSummary{},
	}
	if s.Seconds > 0 {
		s.PerSecond = float64(s.Accepted+s.Quarantined+s.Duplicates) / s.Seconds
	}
	for _, st := range r.streams {
		one, err := st.summary()
		if err != nil {
			return s, err
		}
		s.OK = s.OK && one.Verified
		s.Streams = append(s.Streams, one)
	}
	return s, nil
}

func (s *sentStream) summary() (streamSummary, error) {
	p := s.Progress()
	digest, err := s.Digest(s.file.Last())
	if err != nil {
		return streamSummary{}, err
	}
	last, err := s.file.Transaction(s.file.Last())
	if err != nil {
		return streamSummary{}, err
	}
	one := streamSummary{
		Stream: s.file.ID, Device: last.Origin.Device, Transactions: s.file.Last(),
		AcceptedThrough: p.AcceptedThrough, DurableThrough: p.DurableThrough, Quarantined: s.state.Quarantined,
		Digest: digest.String(), Verified: s.verified,
	}
	if s.err != nil {
		one.Problem = s.problem()
	}
	return one, nil
}

// problem names the line of the file where there is one.
func (s *sentStream) problem() string {
	var refused *client.RefusedError
	var forked *client.ForkedError
	line := int64(0)
	if errors.As(s.err, &refused) {
		line = s.file.Line(refused.Seq)
	} else if errors.As(s.err, &forked) {
		line = s.file.Line(forked.Seq)
	}
	if line > 0 {
		return fmt.Sprintf("line %d: %v", line, s.err)
	}
	return s.err.Error()
}

// failure is nil when everything is held. What stopped a stream weighs more
// than what ended the run, and a divergence more than a refusal.
func (r *sending) failure(s *sendSummary, ended error) error {
	if s.OK {
		return nil
	}
	code, stopped := exitFailed, 0
	for _, st := range r.streams {
		if st.err != nil {
			stopped++
			code = max(code, sendExitCode(st.err))
		}
	}
	held := fmt.Sprintf("%d of %d transactions are held", s.Held, s.Transactions)
	const again = "run the same command again to go on"
	switch {
	case stopped > 0:
		return &codedError{code, fmt.Errorf("%s; %d of %d streams stopped: %s", held, stopped, len(r.streams), r.firstProblem(code))}
	case errors.Is(ended, errTimeIsUp):
		return &codedError{exitUnavailable, fmt.Errorf("%w: %s; %s", ended, held, again)}
	}
	return &codedError{exitInterrupted, fmt.Errorf("interrupted: %s; %s", held, again)}
}

func (r *sending) firstProblem(code int) string {
	for _, st := range r.streams {
		if st.err != nil && sendExitCode(st.err) == code {
			return st.problem()
		}
	}
	return ""
}

func sendExitCode(err error) int {
	var diverged *client.DivergedError
	var forked *client.ForkedError
	if errors.As(err, &diverged) || errors.As(err, &forked) {
		return exitDiverged
	}
	return exitFailed
}

func (s sendSummary) print(w io.Writer) {
	row := func(name, format string, values ...any) {
		_, _ = fmt.Fprintf(w, "%-13s %s\n", name, fmt.Sprintf(format, values...))
	}
	row("streams", "%d", len(s.Streams))
	row("transactions", "%d", s.Transactions)
	row("batches", "%d", s.Batches)
	row("accepted", "%d", s.Accepted)
	row("duplicates", "%d (held already)", s.Duplicates)
	row("quarantined", "%d", s.Quarantined)
	row("retries", "%d", s.Retries)
	if s.Rewinds > 0 {
		row("rewinds", "%d", s.Rewinds)
	}
	row("epoch", "%d", s.Epoch)
	row("duration", "%.2f s", s.Seconds)
	row("rate", "%.0f transactions/s", s.PerSecond)
	for _, q := range s.Set {
		row("set aside", "%s", strings.Join(append([]string{q.ID.String() + ": " + q.Detail}, q.Errors...), " "))
	}
	for _, st := range s.Streams {
		if st.Problem != "" {
			row("stopped", "%s", st.Problem)
		}
	}
	if s.OK {
		_, _ = fmt.Fprintln(w, s.Message)
	}
}
