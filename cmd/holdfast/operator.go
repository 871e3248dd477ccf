package main

import (
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
		ID: holdfast.NewID(now), Action: action, Outcome: holdfast.OutcomeSuccess,
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
