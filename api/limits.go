package api

// Limits bound one batch and one file; GET /v1/limits tells them.
type Limits struct {
	MaxBytes        int64 // of the body, decoded
	MaxTransactions int
	MaxFileBytes    int64    // of a file
	MaxPutBytes     int64    // of a file in one request
	FileTypes       []string // that are taken; none: all
}

// DefaultLimits are those of a gateway that was told nothing else: 4 MiB and
// 1000 transactions, files of 1 GiB, of 64 MiB in one request.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 4 << 20, MaxTransactions: 1000, MaxFileBytes: 1 << 30, MaxPutBytes: 64 << 20}
}

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
