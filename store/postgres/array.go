package postgres

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgtype"
)

// array builds a one-dimensional array parameter in PostgreSQL's binary format
// (array_send): dimensions, null flag, element type, length, lower bound, then
// each element behind its length. Built by hand since it is most of what intake
// does between the request and the server; its buffer is used again.
type array struct {
	element uint32 // OID
	b       []byte
	n       uint32
}

const arrayHeader = 20

func newArray(element uint32) array { return array{element: element, b: make([]byte, arrayHeader)} }

func (a *array) reset() {
	a.b, a.n = a.b[:arrayHeader], 0
	a.b[7] = 0
}

func (a *array) bytes(v []byte) {
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
	a.n++
}

func (a *array) text(v string) {
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
	a.n++
}

// orNull adds NULL for a nil slice.
func (a *array) orNull(v []byte) {
	if v != nil {
		a.bytes(v)
		return
	}
	a.b = binary.BigEndian.AppendUint32(a.b, 0xffffffff)
	a.b[7] = 1 // has nulls
	a.n++
}

func (a *array) bigint(v int64) {
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v))
	a.n++
}

func (a *array) integer(v int) {
	a.b = binary.BigEndian.AppendUint32(a.b, 4)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(v))
	a.n++
}

// value is the finished parameter.
func (a *array) value() []byte {
	nulls := a.b[7]
	binary.BigEndian.PutUint32(a.b[0:], 1)
	binary.BigEndian.PutUint32(a.b[4:], uint32(nulls))
	binary.BigEndian.PutUint32(a.b[8:], a.element)
	binary.BigEndian.PutUint32(a.b[12:], a.n)
	binary.BigEndian.PutUint32(a.b[16:], 1)
	if a.n == 0 {
		binary.BigEndian.PutUint32(a.b[0:], 0) // an empty array has no dimension
		return a.b[:12]
	}
	return a.b
}

var typeNames = map[uint32]string{
	pgtype.UUIDOID: "uuid", pgtype.Int8OID: "bigint", pgtype.Int4OID: "integer", pgtype.ByteaOID: "bytea", pgtype.TextOID: "text",
}
