package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/delivery"
)

// RepairCmd gives a transaction another payload.
type RepairCmd struct {
	deskFlags
	Stream  string `required:"" help:"The stream."`
	Seq     int64  `required:"" help:"Its place in the stream."`
	Payload string `required:"" placeholder:"FILE" help:"A file with the new payload, a JSON object; - for the standard input."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why; it is kept with the repair."`
}

// Run gives it.
func (c *RepairCmd) Run(ctx context.Context, con *console) error {
	stream, err := holdfast.ParseID(c.Stream)
	if err != nil || c.Seq < 1 {
		return usage("--stream and --seq: must name a transaction: a UUID, and a number from 1")
	}
	if strings.TrimSpace(c.Reason) == "" {
		return usage("--reason: must say why")
	}
	payload, err := c.payload(con)
	if err != nil {
		return err
	}
	return c.with(ctx, con, func(ctx context.Context, desk *delivery.Desk) error {
		if err := desk.Repair(ctx, holdfast.Repair{Stream: stream, Seq: c.Seq, Payload: payload, Who: osUser(), Why: c.Reason}); err != nil {
			return err
		}
		if c.Output == "json" {
			return writeJSON(con.out, map[string]int{"count": 1})
		}
		fmt.Fprintln(con.out, "repaired; it is on its way again")
		return nil
	})
}

func (c *RepairCmd) payload(con *console) ([]byte, error) {
	var text []byte
	var err error
	if c.Payload == "-" {
		text, err = io.ReadAll(io.LimitReader(con.in, 16<<20))
	} else {
		text, err = os.ReadFile(c.Payload)
	}
	if err != nil {
		return nil, usage("--payload: %w", err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return nil, usage("--payload: must be a JSON object")
	}
	return text, nil
}
