package postgres

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/store/auditsql"
)

// An array of events has one element for each, of the composite type audit_event: a step
// number, six columns and the texts of package auditsql. An array for each column would
// make PostgreSQL gather every column for itself, which costs more than the rest of the insert.
const eventColumns = 7 + len(auditsql.TextColumns)

// sinceEpoch is PostgreSQL's own epoch, 2000-01-01, in microseconds.
var sinceEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// event adds one of a step, in the binary format of a composite (record_send):
// the number of columns, then each column's type, length and value.
func (a *array) event(step int, e *holdfast.AuditEvent) {
	begin := len(a.b)
	a.b = binary.BigEndian.AppendUint32(a.b, 0) // the element's length, known at the end
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(eventColumns))
	a.member(pgtype.Int4OID, 4)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(step))
	a.member(pgtype.UUIDOID, len(e.ID))
	a.b = append(a.b, e.ID[:]...)
	at, given := auditsql.ClientAt(e)
	a.number(pgtype.TimestamptzOID, at-sinceEpoch, given)
	a.uuid(&e.Stream)
	a.number(pgtype.Int8OID, e.First, e.First != 0)
	a.number(pgtype.Int8OID, e.Last, e.Last != 0)
	a.uuid(&e.Transaction)
	for _, text := range auditsql.TextsOf(e) {
		if text == "" {
			a.member(pgtype.TextOID, -1)
			continue
		}
		a.member(pgtype.TextOID, len(text))
		a.b = append(a.b, text...)
	}
	binary.BigEndian.PutUint32(a.b[begin:], uint32(len(a.b)-begin-4))
	a.n++
}

// member begins a column; length -1 is NULL.
func (a *array) member(oid uint32, length int) {
	a.b = binary.BigEndian.AppendUint32(a.b, oid)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(int32(length)))
}

func (a *array) number(oid uint32, v int64, given bool) {
	if !given {
		a.member(oid, -1)
		return
	}
	a.member(oid, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v))
}

func (a *array) uuid(id *holdfast.ID) {
	if id.IsZero() {
		a.member(pgtype.UUIDOID, -1)
		return
	}
	a.member(pgtype.UUIDOID, len(id))
	a.b = append(a.b, id[:]...)
}

// insertEvents is an INSERT of the array in a parameter; what follows adds present and may narrow e.
func insertEvents(parameter int) string {
	texts := auditsql.Names()
	return "INSERT INTO audit_events (" + auditsql.OtherColumns + ", " + texts + `)
  SELECT e.id, e.client_at, e.stream, e.first_seq, e.last_seq, e.transaction_id, present.epoch, e.` + strings.ReplaceAll(texts, ", ", ", e.") + `
  FROM unnest($` + strconv.Itoa(parameter) + `::audit_event[]) AS e`
}

var recordStatement = insertEvents(1) + ", (SELECT max(epoch) AS epoch FROM epochs) present"

// record writes events on a connection, in its Tx if it is in one.
func record(ctx context.Context, conn *pgx.Conn, events []holdfast.AuditEvent) error {
	oid, err := eventType(ctx, conn)
	if err != nil {
		return err
	}
	a := newArray(oid)
	for i := range events {
		a.event(1, &events[i])
	}
	return conn.PgConn().ExecParams(ctx, recordStatement, [][]byte{a.value()}, nil, []int16{pgx.BinaryFormatCode}, nil).Read().Err
}

// eventType is the OID of audit_event, which every database has a different one of.
func eventType(ctx context.Context, conn *pgx.Conn) (uint32, error) {
	const key = "audit_event"
	if oid, known := conn.PgConn().CustomData()[key].(uint32); known {
		return oid, nil
	}
	var oid uint32
	if err := conn.QueryRow(ctx, "SELECT 'audit_event'::regtype::oid").Scan(&oid); err != nil {
		return 0, err
	}
	conn.PgConn().CustomData()[key] = oid
	return oid, nil
}
