package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/holdfast-sync/holdfast"
)

// State is what a gateway says of a stream. An unknown stream is one with
// AcceptedThrough 0.
type State struct {
	Epoch            int64
	AcceptedThrough  int64
	DurableThrough   int64
	DeliveredThrough int64
	Quarantined      int64
	Undelivered      int64
	Digest           holdfast.Digest
}

// State asks for a stream's state, for as long as it takes. Origin goes in
// the context headers.
func (c *Client) State(ctx context.Context, stream holdfast.ID, origin Origin) (State, error) {
	return stateOver(ctx, newLink(c, func(ev Event) {
		ev.Stream = stream
		c.cfg.Observe(ev)
	}), stream, origin)
}

func stateOver(ctx context.Context, l *link, stream holdfast.ID, origin Origin) (State, error) {
	a, err := l.do(ctx, &request{
		method: http.MethodGet, path: "/v1/streams/" + stream.String(),
		header: origin.header(), decode: decodeState,
	})
	if err != nil {
		return State{}, err
	}
	if a.status >= 300 {
		p := &a.problem
		return State{}, &RefusedError{Stream: stream, Status: a.status, Code: p.Code, Detail: p.Detail, Fields: p.fields()}
	}
	return a.state, nil
}

func decodeState(a *answer) error {
	var body struct {
		watermarks
		DeliveredThrough int64 `json:"deliveredThrough"`
		Quarantined      int64 `json:"quarantined"`
		Undelivered      int64 `json:"undelivered"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	a.epoch = body.Epoch
	a.state = State{
		Epoch: body.Epoch, AcceptedThrough: body.AcceptedThrough, DurableThrough: body.DurableThrough,
		DeliveredThrough: body.DeliveredThrough, Quarantined: body.Quarantined, Undelivered: body.Undelivered,
		Digest: body.Digest.Digest,
	}
	return nil
}

// Verify asks the gateway for the stream's state and compares it with the
// source: nil means that every transaction is held once, in order. Otherwise
// the error is a [BehindError] (Send goes on from there), a [DivergedError], or
// one that Send returns too.
func (s *Stream) Verify(ctx context.Context) (State, error) {
	st, err := stateOver(ctx, s.link, s.cfg.ID, s.origin)
	if err != nil {
		return st, err
	}
	w := watermarks{
		Epoch: st.Epoch, AcceptedThrough: st.AcceptedThrough, DurableThrough: st.DurableThrough,
		Digest: hexDigest{Digest: st.Digest, given: true},
	}
	if err := s.settle(w); err != nil {
		return st, err
	}
	if last := s.cfg.Source.Last(); st.AcceptedThrough < last {
		return st, &BehindError{Stream: s.cfg.ID, AcceptedThrough: st.AcceptedThrough, Last: last}
	}
	return st, nil
}
