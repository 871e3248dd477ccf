package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// maxWait bounds a long poll, in seconds.
const maxWait = 30

// beat is how often an event stream that has nothing to say shows that it lives, and looks whether its epoch still is the database's.
const beat = 15 * time.Second

// changeJSON is an event on the wire.
type changeJSON struct {
	Cursor          string              `json:"cursor"`
	Kind            holdfast.ChangeKind `json:"kind"`
	At              time.Time           `json:"at"`
	Seq             int64               `json:"seq,omitempty"`
	ID              string              `json:"id"`
	Consumer        string              `json:"consumer,omitempty"`
	ReferenceNumber string              `json:"referenceNumber,omitempty"`
	Code            string              `json:"code,omitempty"`
	Detail          string              `json:"detail,omitempty"`
	Problem         json.RawMessage     `json:"problem,omitempty"`
	Attachments     json.RawMessage     `json:"attachments,omitempty"`
	Body            json.RawMessage     `json:"body,omitempty"`
}

func changeOf(c *holdfast.CursorChange) changeJSON {
	out := changeJSON{
		Cursor: c.Cursor, Kind: c.Kind, At: c.At, Seq: c.Seq, ID: c.Transaction.String(), Consumer: c.Consumer, ReferenceNumber: c.Reference,
		Code: c.Code, Detail: c.Detail,
	}
	switch c.Kind {
	case holdfast.ChangeQuarantined:
		out.Problem = c.Body
	case holdfast.ChangeMissing:
		out.Attachments = c.Body
	default:
		out.Body = c.Body
	}
	return out
}

// pageJSON is the answer of a long poll.
type pageJSON struct {
	Epoch  int64        `json:"epoch"`
	Cursor string       `json:"cursor"`
	Events []changeJSON `json:"events"`
}

// GetChanges tells what happened behind a cursor, waits for it, or streams it.
func (s *Server) GetChanges(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, _ wire.GetChangesParams) {
	var sh shape
	stream := sh.parameter("streamId", streamID)
	values := r.URL.Query()
	sh.fields = append(sh.fields, unknownParameters(values, []string{"after", "wait"})...)
	wait := 0
	if text := values.Get("wait"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 || wait > maxWait {
			sh.fields = append(sh.fields, holdfast.FieldError{Parameter: "wait", Detail: "must be a number of seconds from 0 to 30"})
		}
	}
	if err := s.admitRead(r, &sh); err != nil {
		problem.Write(w, r, err)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		s.streamChanges(w, r, stream, values.Get("after"))
		return
	}
	page, err := s.pollChanges(w, r, stream, values.Get("after"), time.Duration(wait)*time.Second)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.heard(r, stream)
	problem.SetWatermarks(w.Header(), page.Watermarks)
	out := pageJSON{Epoch: page.Epoch, Cursor: page.Cursor, Events: make([]changeJSON, len(page.Events))}
	for i := range page.Events {
		out.Events[i] = changeOf(&page.Events[i])
	}
	body, err := json.Marshal(out)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, body)
}

// pollChanges looks, and waits for something to look at. A notice that was lost costs a device one wait: it looks again when it comes again.
func (s *Server) pollChanges(w http.ResponseWriter, r *http.Request, stream holdfast.ID, after string, wait time.Duration) (holdfast.ChangePage, error) {
	if wait == 0 {
		return s.Streams.Changes(r.Context(), stream, after)
	}
	heard, stop, err := s.Streams.AwaitChanges(stream)
	if err != nil {
		return holdfast.ChangePage{}, err
	}
	defer stop()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(wait + 2*stalled))
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		page, err := s.Streams.Changes(r.Context(), stream, after)
		if err != nil || len(page.Events) > 0 {
			return page, err
		}
		select {
		case <-heard:
		case <-over.C:
			return page, nil
		case <-s.stopping():
			return page, nil
		case <-r.Context().Done():
			return page, nil
		}
	}
}

// stopping is done when the node takes no more requests.
func (s *Server) stopping() <-chan struct{} {
	if s.Stopping == nil {
		return nil
	}
	return s.Stopping.Done()
}

// streamChanges writes server-sent events (WHATWG HTML, 9.2) until the client goes away, the node stops or the epoch changes.
func (s *Server) streamChanges(w http.ResponseWriter, r *http.Request, stream holdfast.ID, after string) {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		after = id
	}
	heard, stop, err := s.Streams.AwaitChanges(stream)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	defer stop()
	page, err := s.Streams.Changes(r.Context(), stream, after)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.heard(r, stream)
	problem.SetWatermarks(w.Header(), page.Watermarks)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := eventStream{w: w, control: http.NewResponseController(w)}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		if !out.page(page) {
			return
		}
		after = page.Cursor
		if len(page.Events) == 0 {
			select {
			case <-heard:
			case <-tick.C:
				if !out.write(": still here\n\n") {
					return
				}
			case <-s.stopping():
				return
			case <-r.Context().Done():
				return
			}
		}
		if page, err = s.changesAgain(r.Context(), stream, after); err != nil {
			return // the client comes again and is told why
		}
	}
}

// changesAgain looks, and passes over a database that is away for a moment.
func (s *Server) changesAgain(ctx context.Context, stream holdfast.ID, after string) (holdfast.ChangePage, error) {
	for attempt := 0; ; attempt++ {
		page, err := s.Streams.Changes(ctx, stream, after)
		var e *holdfast.Error
		if err == nil || attempt == 3 || !errors.As(err, &e) || e.Code != holdfast.CodeBackendUnavailable {
			return page, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return page, err
		}
	}
}

// eventStream writes as long as the client takes it.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (e *eventStream) write(text string) bool {
	_ = e.control.SetWriteDeadline(time.Now().Add(stalled))
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	return e.control.Flush() == nil
}

func (e *eventStream) page(page holdfast.ChangePage) bool {
	var b strings.Builder
	for i := range page.Events {
		data, err := json.Marshal(changeOf(&page.Events[i]))
		if err != nil {
			return false
		}
		b.WriteString("id: " + page.Events[i].Cursor + "\nevent: " + string(page.Events[i].Kind) + "\ndata: " + string(data) + "\n\n")
	}
	if b.Len() == 0 {
		return true
	}
	return e.write(b.String())
}
