package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/holdfast-sync/holdfast"
)

// operatorEvent is the audit event of a command that did something to a token. Its
// actor is the user of the operating system that ran the command.
func operatorEvent(action holdfast.AuditAction, token string, now time.Time) holdfast.AuditEvent {
	return holdfast.AuditEvent{
		ID: eventID(now), Action: action, Outcome: holdfast.OutcomeSuccess,
		Actor:  holdfast.AuditActor{Kind: "operator", ID: osUser()},
		Target: holdfast.AuditTarget{Kind: "token", ID: token},
	}
}

func osUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// eventID is a UUID of version 7 (RFC 9562, section 5.7).
func eventID(now time.Time) (id holdfast.ID) {
	_, _ = rand.Read(id[:]) // never fails
	for i, ms := 5, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		id[i] = byte(ms)
	}
	id[6], id[8] = id[6]&0xf|0x70, id[8]&0x3f|0x80
	return id
}
