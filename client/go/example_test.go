package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/holdfast-sync/holdfast"
	client "github.com/holdfast-sync/holdfast/client/go"
)

// A queue is sent until all of it is held, whatever happens on the way; Ctrl-C ends it.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := client.New(client.Config{
		Endpoints: []string{"https://sync-east.example.com", "https://sync-west.example.com"},
		Token:     os.Getenv("HOLDFAST_TOKEN"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	stream, _ := holdfast.ParseID("0192f3c0-7d3a-7c11-9a52-4d0f5be0c001")
	queue := client.Slice{{
		Raw: []byte(`{"id":"0192f3c0-8a11-7b20-b3c4-d5e6f7a80901","seq":1,"type":"pick.completed",` +
			`"occurredAt":"2026-11-20T10:15:00.123Z","payload":{"line":1}}`),
		Origin: client.Origin{Store: "0042", Device: "till-3"},
	}}
	s := c.Stream(client.StreamConfig{ID: stream, Source: queue})
	err = s.Send(ctx)
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		fmt.Println("number", refused.Seq, "is refused:", refused.Detail)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("held through", s.Progress().AcceptedThrough)
	}
}
