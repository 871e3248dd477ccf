package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// device is one client: a connection and a stream of its own. It writes and
// reads HTTP by hand, since the generator shares two cores with what it measures.
type device struct {
	stream  holdfast.ID
	n       int
	seq     int64
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	body    []byte
	took    []time.Duration
}

// transactionBody is one transaction of about 400 bytes, like those of the example day.
func transactionBody(b []byte, id holdfast.ID, seq int64) []byte {
	b = append(b, `{"id":"`...)
	b = id.AppendTo(b)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"type":"pick.completed","schema":3,"entity":{"type":"order","id":"A-`...)
	b = strconv.AppendInt(b, seq%997, 10)
	return append(b, `"},"orderKey":"order/A-17","occurredAt":"2026-11-20T10:15:00.123Z","payload":{"orderNumber":"A-17","lines":[{"sku":"4006381333931","quantity":2,"location":"12-04-B","picked":2},{"sku":"4006381333948","quantity":1,"location":"12-07-A","picked":1}],"tote":"T-0042-113","durationMs":48211,"note":"second shelf, left"}}`...)
}

// transactionID is unique per device and seq, in the layout of a UUIDv7 made at one moment.
func transactionID(run, device int, seq int64) (id holdfast.ID) {
	binary.BigEndian.PutUint32(id[0:], uint32(run))
	id[6], id[8] = 0x70, 0x80
	binary.BigEndian.PutUint16(id[2:], uint16(seq>>16))
	binary.BigEndian.PutUint32(id[9:], uint32(device))
	id[13], id[14], id[15] = byte(seq>>16), byte(seq>>8), byte(seq)
	return id
}

func streamID(run, device int) (id holdfast.ID) {
	id[0], id[6], id[8] = 0xdd, 0x40, 0x80
	binary.BigEndian.PutUint32(id[1:], uint32(run))
	binary.BigEndian.PutUint32(id[9:], uint32(device))
	return id
}

func (d *device) compose(run, size int) {
	d.body = append(d.body[:0], `{"epoch":1,"transactions":[`...)
	for i := range size {
		if i > 0 {
			d.body = append(d.body, ',')
		}
		seq := d.seq + int64(i) + 1
		d.body = transactionBody(d.body, transactionID(run, d.n, seq), seq)
	}
	d.body = append(d.body, `]}`...)
	correlation := transactionID(run, d.n, d.seq+1)
	correlation[7] = 0xc
	r := append(d.request[:0], "POST /v1/streams/"...)
	r = d.stream.AppendTo(r)
	r = append(r, "/batches HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\nX-Store-Id: 0042\r\nX-Device-Id: load-"...)
	r = strconv.AppendInt(r, int64(d.n), 10)
	r = append(r, "\r\nCorrelation-Id: "...)
	r = correlation.AppendTo(r)
	r = append(r, "\r\nContent-Length: "...)
	r = strconv.AppendInt(r, int64(len(d.body)), 10)
	d.request = append(append(r, "\r\n\r\n"...), d.body...)
}

// exchange sends the composed request and returns the status.
func (d *device) exchange() (int, error) {
	if _, err := d.conn.Write(d.request); err != nil {
		return 0, err
	}
	line, err := d.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errors.New("no HTTP answer")
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err = d.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if textproto.CanonicalMIMEHeaderKey(string(name)) == "Content-Length" {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	_, err = d.in.Discard(length)
	return status, err
}

// outcome of one measurement.
type outcome struct {
	requests int
	elapsed  time.Duration
	p50, p99 time.Duration
	cpu      time.Duration // of the gateway
}

// drive lets clients send requests of size transactions for a while.
func drive(address string, run, clients, size int, period time.Duration) (outcome, error) {
	devices := make([]*device, clients)
	for i := range devices {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return outcome{}, err
		}
		defer conn.Close()
		devices[i] = &device{stream: streamID(run, i), n: i, conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}
	}
	errs := make(chan error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for _, d := range devices {
		wg.Go(func() { errs <- d.send(run, size, start.Add(period)) })
	}
	wg.Wait()
	o := outcome{elapsed: time.Since(start)}
	var took []time.Duration
	for _, d := range devices {
		if err := <-errs; err != nil {
			return outcome{}, err
		}
		took = append(took, d.took...)
	}
	slices.Sort(took)
	o.requests = len(took)
	if o.requests > 0 {
		o.p50, o.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return o, nil
}

func (d *device) send(run, size int, until time.Time) error {
	for time.Now().Before(until) {
		d.compose(run, size)
		began := time.Now()
		status, err := d.exchange()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if status != 201 {
			return fmt.Errorf("device %d: status %d at seq %d", d.n, status, d.seq+1)
		}
		d.took = append(d.took, time.Since(began))
		d.seq += int64(size)
	}
	return nil
}
