package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
)

// Recover turns a panic into 500 internal, or breaks the connection off when
// part of an answer is already out, so that no client takes a half for a whole.
// The log gets the stack and the kind of the panic; its text only where the
// runtime made it, because any other text may hold values of the request.
// http.ErrAbortHandler passes through.
func Recover(log logrus.FieldLogger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rw := recording(w)
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(http.ErrAbortHandler)
				}
				log.WithFields(logrus.Fields{
					"panic": panicKind(v), "stack": string(debug.Stack()),
					"correlationId": holdfast.RequestContextFrom(r.Context()).Correlation,
				}).Error("a handler panicked: report this as a bug")
				if rw.status != 0 {
					panic(http.ErrAbortHandler)
				}
				rw.Header().Del("Content-Length")
				rw.Header().Del("Content-Encoding")
				problem.Write(rw, r, &holdfast.Error{Code: holdfast.CodeInternal, Detail: "The gateway failed on this request; nothing is known of its outcome."})
			}()
			next.ServeHTTP(rw, r)
		})
	}
}

func panicKind(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}
