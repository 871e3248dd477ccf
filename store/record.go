package store

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sync/holdfast"
)

// storedProblem is how a batch's record keeps a problem.
type storedProblem struct {
	Seq     int64           `json:"seq"`
	Problem json.RawMessage `json:"problem"`
}

// EncodeProblems is the JSON text that every backend keeps, nil for none.
func EncodeProblems(problems []holdfast.TransactionProblem) ([]byte, error) {
	if len(problems) == 0 {
		return nil, nil
	}
	out := make([]storedProblem, len(problems))
	for i, p := range problems {
		out[i] = storedProblem{p.Seq, p.Problem}
	}
	return json.Marshal(out)
}

// DecodeProblems reads what [EncodeProblems] wrote.
func DecodeProblems(text []byte) ([]holdfast.TransactionProblem, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var in []storedProblem
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("the problems of a batch: %w", err)
	}
	out := make([]holdfast.TransactionProblem, len(in))
	for i, p := range in {
		out[i] = holdfast.TransactionProblem{Seq: p.Seq, Problem: p.Problem}
	}
	return out, nil
}

// EncodeContext is the JSON text that every backend keeps.
func EncodeContext(rc holdfast.RequestContext) ([]byte, error) { return json.Marshal(rc) }

// DecodeContext reads what [EncodeContext] wrote.
func DecodeContext(text []byte) (rc holdfast.RequestContext, err error) {
	if err = json.Unmarshal(text, &rc); err != nil {
		err = fmt.Errorf("the context of a batch: %w", err)
	}
	return rc, err
}
