package api

import (
	"context"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// strict answers the operations whose documents the generated code may write.
// The others are methods of [Server] and never come here.
type strict struct {
	wire.StrictServerInterface
	s *Server
}

func (h strict) GetStream(ctx context.Context, r wire.GetStreamRequestObject) (wire.GetStreamResponseObject, error) {
	var sh shape
	stream := sh.parameter("streamId", r.StreamId)
	sh.context(holdfast.RequestContextFrom(ctx))
	if err := sh.err(); err != nil {
		return nil, err
	}
	if err := h.s.Admission.Admit(ctx); err != nil {
		return nil, err
	}
	state, err := h.s.Streams.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	if r.Params.HoldfastQueue != nil {
		h.s.heardLine(stream, *r.Params.HoldfastQueue)
	}
	return streamAnswer(state), nil
}

func streamAnswer(state holdfast.StreamState) wire.GetStream200JSONResponse {
	out := wire.GetStream200JSONResponse{
		Body: wire.StreamState{
			Epoch: state.Epoch, AcceptedThrough: state.AcceptedThrough, DurableThrough: state.DurableThrough,
			DeliveredThrough: state.DeliveredThrough, Digest: state.Digest.String(),
			Quarantined: state.Quarantined, Undelivered: state.Undelivered, MissingAttachments: state.MissingAttachments,
		},
		Headers: wire.GetStream200ResponseHeaders{
			HoldfastProtocol: "1", HoldfastEpoch: int(state.Epoch),
			HoldfastAcceptedThrough: int(state.AcceptedThrough), HoldfastDurableThrough: int(state.DurableThrough),
		},
	}
	if q := state.Queue; q != nil {
		out.Body.Queue = &wire.QueueReport{Depth: q.Depth, OldestSeconds: int64(q.Oldest.Seconds()), At: q.At}
	}
	return out
}

func (h strict) GetLimits(ctx context.Context, _ wire.GetLimitsRequestObject) (wire.GetLimitsResponseObject, error) {
	if err := h.s.Admission.Admit(ctx); err != nil {
		return nil, err
	}
	limits := wire.Limits{MaxBytes: h.s.Limits.MaxBytes, MaxTransactions: int64(h.s.Limits.MaxTransactions)}
	limits.Attachments.MaxBytes, limits.Attachments.MaxPutBytes = h.s.Limits.MaxFileBytes, h.s.Limits.MaxPutBytes
	limits.Attachments.Types = append([]string{}, h.s.Limits.FileTypes...)
	return wire.GetLimits200JSONResponse{
		Body:    limits,
		Headers: wire.GetLimits200ResponseHeaders{HoldfastProtocol: "1"},
	}, nil
}

func (h strict) GetHealth(context.Context, wire.GetHealthRequestObject) (wire.GetHealthResponseObject, error) {
	report := h.s.Health.Health()
	var out wire.Health
	out.App.State, out.App.Name = wire.HealthAppState(report.State), report.Name
	out.App.Id, out.App.Ring = report.ID, report.Ring
	out.App.Db = wire.PartHealth{Status: wire.PartHealthStatus(report.Database)}
	if report.Cache != "" {
		out.App.Cache = &wire.PartHealth{Status: wire.PartHealthStatus(report.Cache)}
	}
	out.App.Objects, out.App.Consumers = parts(report.Objects), parts(report.Consumers)
	return wire.GetHealth200JSONResponse{Body: out, Headers: wire.GetHealth200ResponseHeaders{HoldfastProtocol: "1"}}, nil
}

func parts(states map[string]string) map[string]wire.PartHealth {
	out := make(map[string]wire.PartHealth, len(states))
	for name, state := range states {
		out[name] = wire.PartHealth{Status: wire.PartHealthStatus(state)}
	}
	return out
}

func (strict) GetHealthz(context.Context, wire.GetHealthzRequestObject) (wire.GetHealthzResponseObject, error) {
	return wire.GetHealthz200TextResponse{
		Body: "ok\n", Headers: wire.GetHealthz200ResponseHeaders{HoldfastProtocol: "1"},
	}, nil
}

func (h strict) GetReadyz(ctx context.Context, _ wire.GetReadyzRequestObject) (wire.GetReadyzResponseObject, error) {
	if err := h.s.Health.Ready(ctx); err != nil {
		return nil, err
	}
	return wire.GetReadyz200TextResponse{
		Body: "ready\n", Headers: wire.GetReadyz200ResponseHeaders{HoldfastProtocol: "1"},
	}, nil
}
