package main

import (
	"testing"
	"time"

	"github.com/holdfast-sync/holdfast"
)

func TestOperatorEvent(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	e, other := operatorEvent(holdfast.ActionTokenMade, "abc", at), operatorEvent(holdfast.ActionTokenMade, "abc", at)
	if e.Actor.Kind != "operator" || e.Actor.ID == "" || e.Target != (holdfast.AuditTarget{Kind: "token", ID: "abc"}) ||
		e.Action != holdfast.ActionTokenMade || e.Outcome != holdfast.OutcomeSuccess {
		t.Fatalf("%+v", e)
	}
	var ms int64
	for _, b := range e.ID[:6] {
		ms = ms<<8 | int64(b)
	}
	if e.ID == other.ID || ms != at.UnixMilli() || e.ID[6]>>4 != 7 || e.ID[8]>>6 != 2 {
		t.Fatal(e.ID, other.ID)
	}
}
