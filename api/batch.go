package api

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// SendBatch takes a batch. It replaces the generated decoding, so that the body
// is read once and its bytes stay as they are.
func (s *Server) SendBatch(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, _ wire.SendBatchParams) {
	b, err := s.readBatch(r, streamID)
	if err == nil {
		err = s.Admission.Admit(r.Context())
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	trail := holdfast.TrailFrom(r.Context())
	trail.Set("firstSeq", b.First())
	trail.Set("lastSeq", b.Last())
	rc := holdfast.RequestContextFrom(r.Context())
	rc.Correlation = b.Correlation.String()
	r = r.WithContext(holdfast.WithRequestContext(r.Context(), rc))
	receipt, err := s.Streams.AcceptBatch(r.Context(), b)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	tellResults(trail, receipt)
	s.heard(r, b.Stream)
	h := w.Header()
	h["Location"] = []string{"/v1/streams/" + b.Stream.String() + "/batches/" + rc.Correlation}
	if receipt.Replayed {
		h["Idempotency-Replayed"] = []string{"true"}
	}
	if prefersReplicated(r.Header) && durable(receipt) {
		h["Preference-Applied"] = []string{"durability=replicated"}
	}
	status := http.StatusOK
	if receipt.New {
		status = http.StatusCreated
	}
	writeReceipt(w, status, receipt)
}

// tellResults adds to the log line what became of the batch.
func tellResults(trail *holdfast.Trail, receipt holdfast.Receipt) {
	var counts [3]int
	for i := range receipt.Results {
		switch receipt.Results[i].Status {
		case holdfast.StatusAccepted:
			counts[0]++
		case holdfast.StatusDuplicate:
			counts[1]++
		case holdfast.StatusQuarantined:
			counts[2]++
		}
	}
	for i, name := range [...]string{"accepted", "duplicates", "quarantined"} {
		if counts[i] > 0 {
			trail.Set(name, counts[i])
		}
	}
	if receipt.Replayed {
		trail.Set("replayed", true)
	}
	trail.Set("epoch", receipt.Epoch)
}

// durable says whether the whole batch is, so that the preference was honoured
// (RFC 7240, 3: what is named was applied).
func durable(r holdfast.Receipt) bool {
	return len(r.Results) > 0 && r.Results[len(r.Results)-1].Seq <= r.DurableThrough
}

// readBatch checks the shape of the whole request.
func (s *Server) readBatch(r *http.Request, streamID string) (*holdfast.Batch, error) {
	body, err := bodyOf(r, s.Limits)
	if err != nil {
		return nil, err
	}
	var sh shape
	stream := sh.parameter("streamId", streamID)
	correlation := sh.correlation(r.Header)
	sh.context(holdfast.RequestContextFrom(r.Context()))
	b, err := decodeBatch(body, s.Limits)
	if err := sh.body(err); err != nil {
		return nil, err
	}
	if err := sh.err(); err != nil {
		return nil, err
	}
	b.Stream, b.Correlation = stream, correlation
	return b, nil
}

// bodyOf is the body that a middleware has read already, or else reads it.
func bodyOf(r *http.Request, limits Limits) ([]byte, error) {
	if whole, ok := r.Body.(interface{ Bytes() []byte }); ok {
		return whole.Bytes(), nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limits.MaxBytes+1))
	if int64(len(body)) > limits.MaxBytes {
		return nil, &holdfast.Error{
			Code: holdfast.CodeTooLarge, MaxBytes: limits.MaxBytes, MaxTransactions: int64(limits.MaxTransactions),
			Detail: "The body is over the limit.",
		}
	}
	if err != nil {
		return nil, &holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "The body could not be read.", Err: err}
	}
	return body, nil
}

// heard keeps what the device told of its queue, once it is known to be the
// stream's own.
func (s *Server) heard(r *http.Request, stream holdfast.ID) {
	if lines := r.Header["Holdfast-Queue"]; len(lines) == 1 {
		s.heardLine(stream, lines[0])
	}
}

func (s *Server) heardLine(stream holdfast.ID, line string) {
	if q, ok := queueOf(line); ok {
		q.At = time.Now().UTC()
		s.Streams.ReportQueue(stream, q)
	}
}

// GetStream hands the queue report to the generated handler, where there is one.
func (s *Server) GetStream(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, params wire.GetStreamParams) {
	if lines := r.Header["Holdfast-Queue"]; len(lines) == 1 {
		params.HoldfastQueue = &lines[0]
	}
	s.ServerInterface.GetStream(w, r, streamID, params)
}

// GetBatch reads a batch's answer back.
func (s *Server) GetBatch(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, correlationID wire.CorrelationIdPath, _ wire.GetBatchParams) {
	var sh shape
	stream, correlation := sh.parameter("streamId", streamID), sh.parameter("correlationId", correlationID)
	if err := s.admitRead(r, &sh); err != nil {
		problem.Write(w, r, err)
		return
	}
	receipt, err := s.Streams.Batch(r.Context(), stream, correlation)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.heard(r, stream)
	writeReceipt(w, http.StatusOK, receipt)
}

// admitRead is the part of the checks that all reads share.
func (s *Server) admitRead(r *http.Request, sh *shape) error {
	sh.context(holdfast.RequestContextFrom(r.Context()))
	if err := sh.err(); err != nil {
		return err
	}
	return s.Admission.Admit(r.Context())
}

// writeReceipt writes the answer for a batch by hand: it is written more often
// than anything else here.
func writeReceipt(w http.ResponseWriter, status int, r holdfast.Receipt) {
	b := make([]byte, 0, 256+len(r.Results)*96)
	b = append(b, `{"epoch":`...)
	b = strconv.AppendInt(b, r.Epoch, 10)
	b = append(b, `,"acceptedThrough":`...)
	b = strconv.AppendInt(b, r.AcceptedThrough, 10)
	b = append(b, `,"durableThrough":`...)
	b = strconv.AppendInt(b, r.DurableThrough, 10)
	b = append(b, `,"digest":"`...)
	b = append(b, r.Digest.String()...)
	b = append(b, `","results":[`...)
	for i := range r.Results {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendResult(b, &r.Results[i])
	}
	b = append(b, `]}`...)
	problem.SetWatermarks(w.Header(), r.Watermarks)
	writeJSON(w, status, b)
}

func appendResult(b []byte, r *holdfast.Result) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, r.Seq, 10)
	b = append(b, `,"id":"`...)
	b = r.ID.AppendTo(b)
	b = append(b, `","status":"`...)
	b = append(b, r.Status...)
	b = append(b, '"')
	if r.Problem != nil {
		b = append(append(b, `,"problem":`...), r.Problem...)
	}
	return append(b, '}')
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, and said to be
}
