package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// octetsType is the media type of a transaction's octets alone.
const octetsType = "application/vnd.holdfast.transaction+json"

// GetTransaction reads one transaction back, its octets untouched.
func (s *Server) GetTransaction(w http.ResponseWriter, r *http.Request, streamID wire.StreamId, place string, _ wire.GetTransactionParams) {
	var sh shape
	stream := sh.parameter("streamId", streamID)
	seq := sh.seq(place)
	if err := s.admitRead(r, &sh); err != nil {
		problem.Write(w, r, err)
		return
	}
	tx, watermarks, err := s.Streams.Transaction(r.Context(), stream, seq)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	s.heard(r, stream)
	problem.SetWatermarks(w.Header(), watermarks)
	if wantsOctets(r.Header.Get("Accept")) {
		w.Header().Set("Content-Type", octetsType)
		w.Header().Set("Content-Length", strconv.Itoa(len(tx.Raw)))
		_, _ = w.Write(tx.Raw)
		return
	}
	writeJSON(w, http.StatusOK, appendStored(nil, tx))
}

func wantsOctets(accept string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		if kind, _, err := mime.ParseMediaType(one); err == nil && kind == octetsType {
			return true
		}
	}
	return false
}

// appendStored writes the answer with the octets as its last member, since no
// encoder would leave them as they are.
func appendStored(b []byte, tx holdfast.StoredTransaction) []byte {
	status := holdfast.StatusAccepted
	if tx.Problem != nil {
		status = holdfast.StatusQuarantined
	}
	context, _ := json.Marshal(tx.Context) // strings only: can't fail
	b = appendResult(b, &holdfast.Result{Seq: tx.Seq, ID: tx.ID, Status: status, Problem: tx.Problem})
	b = append(b[:len(b)-1], `,"acceptedAt":"`...)
	b = tx.AcceptedAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","correlationId":"`...)
	b = tx.Correlation.AppendTo(b)
	b = append(b, `","epoch":`...)
	b = strconv.AppendInt(b, tx.Epoch, 10)
	b = append(b, `,"context":`...)
	b = append(b, context...)
	b = append(b, `,"deliveries":`...)
	b = append(b, outcomesOf(tx.Deliveries)...)
	if len(tx.Repairs) > 0 {
		b = append(b, `,"repairs":`...)
		b = append(b, repairsOf(tx.Repairs)...)
	}
	b = append(b, `,"transaction":`...)
	b = append(b, tx.Raw...)
	return append(b, '}')
}

func outcomesOf(all []holdfast.Delivery) []byte {
	out := make([]deliveryJSON, len(all))
	for i := range all {
		out[i] = outcomeOf(&all[i])
	}
	text, _ := json.Marshal(out) // texts, numbers and times: can't fail
	return text
}

func repairsOf(all []holdfast.Repair) []byte {
	type repair struct {
		Payload json.RawMessage `json:"payload"`
		Who     string          `json:"who"`
		Reason  string          `json:"reason"`
		At      time.Time       `json:"at"`
	}
	out := make([]repair, len(all))
	for i, r := range all {
		out[i] = repair{r.Payload, r.Who, r.Why, r.At}
	}
	text, err := json.Marshal(out)
	if err != nil { // a payload that was JSON when it came
		return []byte("[]")
	}
	return text
}
