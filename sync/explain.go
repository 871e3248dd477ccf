package sync

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store"
)

// explain turns what a store answers into what a client is told.
func explain(err error) error {
	var known *holdfast.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrOutcomeUnknown):
		return &holdfast.Error{
			Code: holdfast.CodeOutcomeUnknown, RetryAfter: time.Second, Err: err,
			Detail: "Whether the batch was committed is not known; the same request again settles it.",
		}
	case errors.Is(err, store.ErrOverloaded):
		return &holdfast.Error{
			Code: holdfast.CodeOverloaded, RetryAfter: time.Second, Err: err,
			Detail: "Too many batches wait to be written; nothing was stored.",
		}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrSchema),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &holdfast.Error{
			Code: holdfast.CodeBackendUnavailable, RetryAfter: 2 * time.Second, Err: err,
			Detail: "The database can't be reached; nothing was stored.",
		}
	}
	return &holdfast.Error{Code: holdfast.CodeInternal, Detail: "Something unforeseen went wrong.", Err: err}
}
