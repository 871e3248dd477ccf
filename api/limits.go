package api

// Limits bound one batch; GET /v1/limits tells them.
type Limits struct {
	MaxBytes        int64 // of the body, decoded
	MaxTransactions int
}

// DefaultLimits are those of a gateway that was told nothing else: 4 MiB and
// 1000 transactions.
func DefaultLimits() Limits { return Limits{MaxBytes: 4 << 20, MaxTransactions: 1000} }

// What a member may hold at most, in characters.
const (
	maxType        = 128
	maxEntityType  = 128
	maxEntityID    = 256
	maxOrderKey    = 512
	maxOccurredAt  = 64
	maxContentType = 128
	maxName        = 256
)

const (
	// maxAttachments is how many one transaction may have.
	maxAttachments = 100
	// maxFieldErrors is how many of a request's errors are told.
	maxFieldErrors = 32
)
