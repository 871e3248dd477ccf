package problem

import (
	"net/http"

	"github.com/holdfast-sync/holdfast"
)

// Kind is what is known of a code before anything has happened.
type Kind struct {
	Status    int
	Title     string
	Retryable bool // the same request may succeed later
	// Meaning and Advice are for the page that the problem's type leads to.
	Meaning, Advice string
}

const later = "Send the same request again, not before Retry-After has passed, plus a random spread."

// kinds is the one table from code to status.
var kinds = map[holdfast.Code]Kind{
	holdfast.CodeInvalidRequest: {
		http.StatusBadRequest, "The request is not of the right shape", false,
		"Something in the request can't be read: a member is missing or of a wrong type, a header is too long, the JSON is broken. Nothing has changed.",
		"errors names each place. If it is a batch, halve it to find the transaction at fault, set that aside and send the rest.",
	},
	holdfast.CodeUnauthenticated: {
		http.StatusUnauthorized, "Credentials are needed", false,
		"The request carries no credentials, or ones that are unknown, expired or revoked.",
		"Get new credentials. Keep the queue: nothing of it is lost.",
	},
	holdfast.CodeForbidden: {
		http.StatusForbidden, "Not allowed", false,
		"The credentials don't allow this, a header contradicts them, or the stream was begun by another device or store.",
		"A device sends on its own stream only; begin a new one if this one is another's.",
	},
	holdfast.CodeNotFound:         {http.StatusNotFound, "No such thing", false, "There is no such route, batch or transaction.", "Check the address."},
	holdfast.CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "The route has no such method", false, "The route exists, but not with this method.", "Allow tells which methods there are."},
	holdfast.CodeRequestTimeout: {
		http.StatusRequestTimeout, "The body came too slowly", false,
		"The body of the request did not arrive in time. Nothing has changed.", "Send it again over a better connection, or a smaller batch.",
	},
	holdfast.CodeRequestInProgress: {
		http.StatusConflict, "The same request is being worked on", true,
		"A request with this correlation id has not been answered yet.", "Wait for Retry-After and send the same request again: its answer will be told.",
	},
	holdfast.CodeSequenceGap: {
		http.StatusConflict, "Transactions are missing before this batch", true,
		"The batch begins beyond what the gateway holds. A failover may have lost the end of the history.",
		"Go back to expectedSeq and send from there.",
	},
	holdfast.CodeStreamForked: {
		http.StatusConflict, "The stream has another history", false,
		"The gateway holds another transaction where this batch has its own: two devices use one stream, or a device was restored from a backup.",
		"Begin a new stream with a new id.",
	},
	holdfast.CodeTooLarge: {
		http.StatusRequestEntityTooLarge, "The batch or file is too large", false,
		"The body, after decoding, the number of transactions, or the file is over the limit.", "Send smaller batches, and larger files as resumable uploads; GET /v1/limits tells the limits.",
	},
	holdfast.CodeUnsupportedMediaType: {
		http.StatusUnsupportedMediaType, "The media type or content coding is not supported", false,
		"Batches are application/json, as they are or in gzip or zstd; files are of the types that GET /v1/limits names, without a coding.", "Change Content-Type or Content-Encoding.",
	},
	holdfast.CodeCorrelationIDReused: {
		http.StatusUnprocessableEntity, "The correlation id stands for other transactions", false,
		"A correlation id stands for one list of transactions, for ever.", "Make a new correlation id whenever the list changes.",
	},
	holdfast.CodeRateLimited: {http.StatusTooManyRequests, "Too many requests", true, "The device sends more often than it may.", later},
	holdfast.CodeHeadersTooLarge: {
		http.StatusRequestHeaderFieldsTooLarge, "The headers are too large", false,
		"The header block or the address is larger than any client needs.", "Send less of them.",
	},
	holdfast.CodeInternal: {
		http.StatusInternalServerError, "The gateway failed", false,
		"A defect of the gateway. What became of the request is not known.", "Send the same request again under the same correlation id, and tell the operators.",
	},
	holdfast.CodeOverloaded:         {http.StatusServiceUnavailable, "The gateway has too much to do", true, "More is in flight than the gateway can hold. Nothing was stored.", later},
	holdfast.CodeDraining:           {http.StatusServiceUnavailable, "The gateway is leaving", true, "This node is shutting down. Nothing was stored.", "Send the same request again: another node takes it."},
	holdfast.CodeFenced:             {http.StatusServiceUnavailable, "The gateway's history is not the latest", true, "This node knows of an older epoch than the client, or was fenced for a failover. Nothing was stored.", "Change nothing on the device; try another endpoint."},
	holdfast.CodeBackendUnavailable: {http.StatusServiceUnavailable, "A system behind the gateway can't be reached", true, "The database or the identity provider can't be reached. Nothing was stored.", later},
	holdfast.CodeOutcomeUnknown: {
		http.StatusServiceUnavailable, "The outcome is not known", true,
		"The connection to the database broke while the batch was being committed.", "Send the same request again under the same correlation id: that settles it.",
	},
	holdfast.CodeDigestMismatch: {
		http.StatusUnprocessableEntity, "The file is not the one that was named", false,
		"The octets that came have another SHA-256, or another length, than was announced. Nothing of them is kept.",
		"Hash the file again: it may have changed, or a part of it was sent twice or not at all.",
	},
	holdfast.CodeOffsetMismatch: {
		http.StatusConflict, "The octets do not go on where the upload stands", false,
		"Upload-Offset of the request is not what the gateway keeps.", "Ask for the offset with HEAD, and go on from there.",
	},
	holdfast.CodeTooManyUploads: {
		http.StatusTooManyRequests, "Too many unfinished uploads", true,
		"The device has begun as many uploads as it may have at a time.", "Finish some, or end those that are not needed with DELETE.",
	},
	holdfast.CodeUploadInterrupted: {
		http.StatusServiceUnavailable, "The upload was interrupted", true,
		"The connection stood still, another request goes on with the same upload, or the object store that held its octets is lost.",
		"Ask for the offset with HEAD, and go on from there; it may have gone back to 0.",
	},
	holdfast.CodeUnsupportedVersion: {
		http.StatusPreconditionFailed, "The version of tus is not supported", false,
		"Tus-Resumable is missing or is not 1.0.0.", "Speak tus 1.0.0.",
	},
	holdfast.CodeRangeNotSatisfiable: {
		http.StatusRequestedRangeNotSatisfiable, "The file ends before", false,
		"Range asks for octets behind the end of the file, or can't be read.", "Content-Range tells how many there are.",
	},
	holdfast.CodeCursorExpired: {
		http.StatusGone, "The cursor is of another history", false,
		"The cursor is of another epoch or another stream, or nobody gave it.", "Begin without a cursor; what is known already can be passed over.",
	},
	holdfast.CodeNotApplicable: {
		http.StatusConflict, "Nothing waits for that", false,
		"What was asked for can't be done to it as it stands: it is delivered, was decided about before, or is being delivered just now.", "Look at it again.",
	},
	holdfast.CodeSchemaViolation: {
		http.StatusUnprocessableEntity, "The payload breaks its schema", false,
		"The payload breaks the JSON Schema registered for its type and version. The transaction is held whole and set aside for an operator; this is told in its result, not as the answer's status.",
		"Nothing: the transaction is in custody. Fix the app for the next ones.",
	},
}

// KindOf is the row of a code.
func KindOf(code holdfast.Code) (Kind, bool) {
	k, ok := kinds[code]
	return k, ok
}

// Codes are all codes that there are, unordered.
func Codes() []holdfast.Code {
	all := make([]holdfast.Code, 0, len(kinds))
	for code := range kinds {
		all = append(all, code)
	}
	return all
}
