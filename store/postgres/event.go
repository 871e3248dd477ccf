package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

// The columns of a group's events; the texts of package auditsql are behind them.
const (
	eventOfStep = iota
	eventID
	eventClientAt
	eventStream
	eventFirst
	eventLast
	eventTransaction
	eventTexts
	eventColumns = eventTexts + len(auditsql.TextColumns)
)

var eventTypes = [eventTexts]uint32{
	pgtype.Int4OID, pgtype.UUIDOID, pgtype.TimestamptzOID, pgtype.UUIDOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.UUIDOID,
}

func eventType(column int) uint32 {
	if column < eventTexts {
		return eventTypes[column]
	}
	return pgtype.TextOID
}

func newEventArrays(a []array) {
	for i := range a {
		a[i] = newArray(eventType(i))
	}
}

// sinceEpoch is PostgreSQL's own epoch, 2000-01-01, in microseconds.
var sinceEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// addEvent appends an event of a step.
func addEvent(a []array, step int, e *holdfast.AuditEvent) {
	a[eventOfStep].integer(step)
	a[eventID].bytes(e.ID[:])
	if at, given := auditsql.ClientAt(e); given {
		a[eventClientAt].bigint(at - sinceEpoch)
	} else {
		a[eventClientAt].null()
	}
	a[eventStream].uuidOrNull(&e.Stream)
	a[eventFirst].bigintOrNull(e.First)
	a[eventLast].bigintOrNull(e.Last)
	a[eventTransaction].uuidOrNull(&e.Transaction)
	for i, text := range auditsql.TextsOf(e) {
		a[eventTexts+i].textOrNull(text)
	}
}

// insertEvents is an INSERT of the arrays from parameter first on; what follows adds present and may narrow e.
func insertEvents(first int) string {
	parameters := make([]string, eventColumns)
	for i := range parameters {
		parameters[i] = fmt.Sprintf("$%d::%s[]", first+i+1, typeNames[eventType(i)])
	}
	texts := auditsql.Names()
	return "INSERT INTO audit_events (" + auditsql.OtherColumns + ", " + texts + `)
  SELECT e.id, e.client_at, e.stream, e.first_seq, e.last_seq, e.transaction_id, present.epoch, e.` + strings.ReplaceAll(texts, ", ", ", e.") + `
  FROM unnest(` + strings.Join(parameters, ", ") + `)
    AS e(step, id, client_at, stream, first_seq, last_seq, transaction_id, ` + texts + `)`
}

var recordStatement = insertEvents(0) + ", (SELECT max(epoch) AS epoch FROM epochs) present"

// record writes events on a connection, in its Tx if it is in one.
func record(ctx context.Context, conn *pgx.Conn, events []holdfast.AuditEvent) error {
	var a [eventColumns]array
	newEventArrays(a[:])
	for i := range events {
		addEvent(a[:], 1, &events[i])
	}
	values, formats := make([][]byte, len(a)), make([]int16, len(a))
	for i := range a {
		values[i], formats[i] = a[i].value(), pgx.BinaryFormatCode
	}
	return conn.PgConn().ExecParams(ctx, recordStatement, values, nil, formats, nil).Read().Err
}
