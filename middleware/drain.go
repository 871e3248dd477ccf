package middleware

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// Drain is the switch that takes a node out of service: from [Drain.Begin] on,
// what already runs is finished, new work is refused by [Admission.Admit], and
// connections are closed after their answer. The zero value is not draining.
type Drain struct{ on atomic.Bool }

// Begin starts draining. There is no way back: the process ends.
func (d *Drain) Begin() { d.on.Store(true) }

// Draining says whether the node has been told to stop; readiness asks it too.
func (d *Drain) Draining() bool { return d.on.Load() }

// Err is 503 draining while draining, else nil.
func (d *Drain) Err() error {
	if !d.Draining() {
		return nil
	}
	return &holdfast.Error{
		Code: holdfast.CodeDraining, RetryAfter: time.Second,
		Detail: "This node is being stopped; another one takes the request.",
	}
}

// Handler asks clients whose request begins while the node drains to close
// their connections. http.Server.SetKeepAlivesEnabled(false), to be called right
// after Begin, does it for the requests that were running then.
func (d *Drain) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.Draining() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
