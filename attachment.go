package holdfast

import "time"

// AttachmentRef is what a transaction says of a file that belongs to it. Digest and Size
// are what it is found by; the rest of what the client wrote stays in the transaction's octets.
type AttachmentRef struct {
	Digest Hash
	Size   int64 // bytes
}

// Attachment is a file that is held, named by the SHA-256 of its octets. It never changes.
type Attachment struct {
	Digest      Hash
	Size        int64  // bytes
	ContentType string // as who sent it first called it; empty: not told
	// Sites hold a copy each, the oldest copy first.
	Sites    []string
	StoredAt time.Time // set by the store
}

// NamedAttachment is an attachment that a transaction of a stream names.
type NamedAttachment struct {
	AttachmentRef
	Transaction ID
	Seq         int64
	Copies      int // in how many sites it is held; 0: it is missing
}

// NamedQuery asks for attachments that a stream's transactions name, ordered by seq and digest.
type NamedQuery struct {
	Stream ID
	// AfterSeq and AfterDigest are the last one of the page before; zero for the first page.
	AfterSeq    int64
	AfterDigest Hash
	// Below leaves out those held in that many sites or more; 0: all are told.
	Below int
	Limit int // 1 to 10,000
}

// Upload is an attachment that is on its way in. Any node may go on with it.
type Upload struct {
	ID    ID
	Owner Owner
	Size  int64 // bytes, as announced
	// Offset counts the octets that are kept: a client goes on from there. It goes back to 0
	// when the site that held the parts is lost.
	Offset int64
	// Announced is the digest that the client named; zero when it named none.
	Announced   Hash
	ContentType string
	Metadata    string // Upload-Metadata as the client sent it
	// Site holds the parts; State says which, and how far the hash has come. Both are
	// for the package attachment alone.
	Site  string
	State []byte
	// Generation grows with every request that takes the upload over, so that a late one changes nothing.
	Generation int64
	// Finished is the digest of what became of it; zero while it is on its way.
	Finished  Hash
	CreatedAt time.Time
	ExpiresAt time.Time
}
