package s3

import (
	"context"
	"net"
	"testing"
)

// DialOnly leads every connection to one address, for a test.
func DialOnly(tb testing.TB, address string) {
	before := dial
	dial = func(ctx context.Context, network, _ string) (net.Conn, error) { return before(ctx, network, address) }
	tb.Cleanup(func() { dial = before })
}
