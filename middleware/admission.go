package middleware

import (
	"context"

	"github.com/holdfast-sync/holdfast"
)

// Admission is the turn of rate and load among the checks: behind the shape of
// the request, before anything of its stream is looked at.
type Admission struct {
	drain *Drain
	rate  *RateLimiter
}

// NewAdmission asks drain and rate; either may be nil.
func NewAdmission(drain *Drain, rate *RateLimiter) *Admission {
	return &Admission{drain: drain, rate: rate}
}

// Admit is nil for a request that may go on, else a *[holdfast.Error]: draining
// (503) or rate-limited (429), both with RetryAfter.
func (a *Admission) Admit(ctx context.Context) error {
	if a.drain != nil {
		if err := a.drain.Err(); err != nil {
			return err
		}
	}
	if a.rate == nil {
		return nil
	}
	return a.rate.admit(ctx, rateKey(ctx))
}

// rateKey is who the limit counts for: the device that the credentials or else
// the headers name, else the credentials themselves, else nobody.
func rateKey(ctx context.Context) string {
	if device := holdfast.RequestContextFrom(ctx).Device; device != "" {
		return "device:" + device
	}
	if subject := holdfast.PrincipalFrom(ctx).Subject; subject != "" {
		return "subject:" + subject
	}
	return ""
}
