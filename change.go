package holdfast

import "time"

// ChangeKind says what happened to a transaction, or that a message came.
type ChangeKind string

// The kinds. More may come; a client passes over those it does not know.
const (
	ChangeDelivered      ChangeKind = "delivered"
	ChangeQuarantined    ChangeKind = "quarantined"
	ChangeRepaired       ChangeKind = "repaired"            // or let go without a repair: it is on its way again
	ChangeFailed         ChangeKind = "failed"              // given up
	ChangeSkipped        ChangeKind = "skipped"             // an operator did without it at one consumer
	ChangeOutcomeChanged ChangeKind = "outcome-changed"     // delivered, with another reference than the person has been shown
	ChangeMissing        ChangeKind = "attachments-missing" // it waits for files that nobody has sent yet
	ChangeMessage        ChangeKind = "message"
)

// Change is something that a stream's device wants to know.
type Change struct {
	Number      int64 // from 1, growing by 1 within a stream; 0 for a message
	Message     int64 // of a message: grows over all messages
	ForUser     bool  // the message is for the user, not for the device or its store
	Kind        ChangeKind
	At          time.Time
	Stream      ID
	Seq         int64
	Transaction ID
	Consumer    string
	Reference   string
	Code        string // why it was given up, quarantined or skipped
	Detail      string
	// Body is a message's JSON value, or the list of digests that are missing.
	Body []byte
}

// ChangesQuery asks for what came after two marks.
type ChangesQuery struct {
	Stream ID
	// Number, Message and UserMessage are those of the last change, of the last message for the device or its store, and of the last
	// one for the user, that the device has.
	Number, Message, UserMessage int64
	Device                       string
	Shop                         string
	User                         string
	Limit                        int
}

// Message is something said to a device, to a store or to a user.
type Message struct {
	ID        ID
	Device    string // exactly one of the three is given
	Shop      string
	User      string
	Body      []byte // a JSON value
	ExpiresAt time.Time
}

// To says whom it is for: device, store or user, and which.
func (m *Message) To() (kind, target string) {
	switch {
	case m.Device != "":
		return "device", m.Device
	case m.Shop != "":
		return "store", m.Shop
	}
	return "user", m.User
}

// CursorChange is a change and the cursor that stands behind it.
type CursorChange struct {
	Change
	Cursor string
}

// ChangePage is what a stream's device hears at once, the oldest first.
type ChangePage struct {
	Watermarks
	Cursor string // behind the last one
	Events []CursorChange
}
