package attachment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// explain turns what a store or a site answers into what a client is told.
func explain(err error) error {
	var known *holdfast.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrNotFound), errors.Is(err, objectstore.ErrNotFound):
		return &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such attachment or upload.", Err: err}
	case errors.Is(err, store.ErrConflict):
		return &holdfast.Error{
			Code: holdfast.CodeUploadInterrupted, RetryAfter: time.Second, Err: err,
			Detail: "Another request goes on with this upload. Ask for its offset, and go on from there.",
		}
	case errors.Is(err, store.ErrTooMany):
		return &holdfast.Error{
			Code: holdfast.CodeTooManyUploads, RetryAfter: time.Minute, Err: err,
			Detail: "The device has as many unfinished uploads as it may. Finish some, or end them with DELETE.",
		}
	case errors.Is(err, objectstore.ErrUnavailable):
		return &holdfast.Error{
			Code: holdfast.CodeBackendUnavailable, RetryAfter: 5 * time.Second, Err: err,
			Detail: "No object store can be reached that could do this; nothing was changed.",
		}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrSchema), errors.Is(err, store.ErrOutcomeUnknown),
		errors.Is(err, store.ErrOverloaded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &holdfast.Error{
			Code: holdfast.CodeBackendUnavailable, RetryAfter: 2 * time.Second, Err: err,
			Detail: "The database can't be reached. The same request again settles what became of the file.",
		}
	}
	return &holdfast.Error{Code: holdfast.CodeInternal, Detail: "Something unforeseen went wrong.", Err: err}
}

func tooLarge(most int64) error {
	return &holdfast.Error{Code: holdfast.CodeTooLarge, MaxBytes: most, Detail: fmt.Sprintf("The file may have at most %d bytes here.", most)}
}

func mismatch(announced, found holdfast.Hash) error {
	return &holdfast.Error{
		Code: holdfast.CodeDigestMismatch, Detail: fmt.Sprintf("The octets have the SHA-256 %s, not %s. Nothing of them is kept.", found, announced),
	}
}
