package holdfast

import "time"

// Owner is the device and shop that began a stream. An empty name was not
// given and contradicts nothing.
type Owner struct {
	Device string
	Shop   string
}

// Contradicts says whether both sides name a device or a shop and differ.
func (o Owner) Contradicts(other Owner) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(o.Device, other.Device) || differ(o.Shop, other.Shop)
}

// Head is how far a stream has come. The zero Head is that of an unknown stream.
type Head struct {
	AcceptedThrough int64
	Digest          Digest // at AcceptedThrough
	Quarantined     int64  // how many of its transactions are set aside
	Owner           Owner
}

// Watermarks tell a client how far its stream has come, and in which history.
type Watermarks struct {
	Epoch           int64
	AcceptedThrough int64
	DurableThrough  int64
	Digest          Digest
}

// StreamState is everything a client may ask about its stream.
type StreamState struct {
	Watermarks
	DeliveredThrough int64
	Quarantined      int64
	Undelivered      int64
	// MissingAttachments counts the files named that are held nowhere, at most 1000.
	MissingAttachments int64
	// Queue is the last one the device reported, nil when it never did.
	Queue *Queue
}

// Queue is a device's own queue as it last reported it (Holdfast-Queue).
type Queue struct {
	Depth  int64         // transactions not yet accepted
	Oldest time.Duration // since the oldest of them was made
	At     time.Time     // when the gateway heard it
}
