package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
)

// Streams are the rules. Their errors are *holdfast.Error.
type Streams interface {
	AcceptBatch(ctx context.Context, b *holdfast.Batch) (holdfast.Receipt, error)
	Batch(ctx context.Context, stream, correlation holdfast.ID) (holdfast.Receipt, error)
	Stream(ctx context.Context, stream holdfast.ID) (holdfast.StreamState, error)
	Transaction(ctx context.Context, stream holdfast.ID, seq int64) (holdfast.StoredTransaction, holdfast.Watermarks, error)
	Attachments(ctx context.Context, q holdfast.NamedQuery) ([]holdfast.NamedAttachment, holdfast.Watermarks, error)
	// Changes tells what happened behind a cursor; AwaitChanges has a channel hear that there may be more, until stop is called.
	Changes(ctx context.Context, stream holdfast.ID, cursor string) (holdfast.ChangePage, error)
	AwaitChanges(stream holdfast.ID) (heard <-chan struct{}, stop func(), err error)
	ReportQueue(stream holdfast.ID, q holdfast.Queue)
}

// Admission is asked after the checks of shape: 429 and 503 as *holdfast.Error.
type Admission interface {
	Admit(ctx context.Context) error
}

// Health tells what is known of the node's parts; it never waits.
type Health interface {
	Health() HealthReport
	// Ready is nil when requests should come here, else a *holdfast.Error.
	Ready(ctx context.Context) error
}

// HealthReport is the answer of GET /v1/health. Cache is empty without one.
type HealthReport struct {
	State, Name, ID, Ring string
	Database, Cache       string // UP or DOWN
	Objects, Consumers    map[string]string
}

// Metrics is what was counted, in Prometheus' text format, version 0.0.4.
type Metrics interface {
	Text() ([]byte, error)
}

// Config is what a [Server] works with.
type Config struct {
	Streams  Streams
	Audit    Audit
	Desk     Desk
	Prefetch Prefetch // nil: there are no resources
	// Attachments are read and put by the server itself; Uploads serves tus below /v1/attachments.
	Attachments Attachments
	Uploads     http.Handler
	Admission   Admission
	Health      Health
	Metrics     Metrics // nil: there are none
	Limits      Limits  // zero: [DefaultLimits]
	// Stopping is done when no request is taken any more: who waits is answered then. nil: never.
	Stopping context.Context //nolint:containedctx // it is the node's own life
	Logger   logrus.FieldLogger
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Streams == nil || c.Audit == nil || c.Desk == nil || c.Attachments == nil || c.Uploads == nil || c.Admission == nil || c.Health == nil || c.Logger == nil {
		return errors.New("api: streams, audit, a desk, attachments, uploads, admission, health and a logger are needed")
	}
	return nil
}
