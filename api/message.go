package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// maxMessage bounds a message, in bytes; maxMessageLife is how long it may wait for its reader.
const (
	maxMessage     = 64 << 10
	maxMessageLife = 90 * 24 * time.Hour
)

// SendMessage says something to a device, a store or a user. The correlation id is the message's id.
func (s *Server) SendMessage(w http.ResponseWriter, r *http.Request, _ wire.SendMessageParams) {
	var sh shape
	var body struct {
		To struct {
			Device string `json:"device"`
			Store  string `json:"store"`
			User   string `json:"user"`
		} `json:"to"`
		Body      json.RawMessage `json:"body"`
		ExpiresAt time.Time       `json:"expiresAt"`
	}
	m := holdfast.Message{ID: sh.correlation(r.Header)}
	err := s.decode(r, &sh, &body)
	m.Device, m.Shop, m.User, m.Body, m.ExpiresAt = body.To.Device, body.To.Store, body.To.User, body.Body, body.ExpiresAt
	if err == nil {
		sh.message(&m)
		err = s.admitAudit(r, sh.fields)
	}
	if err == nil {
		err = s.Desk.Send(r.Context(), m, whoOf(r))
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, []byte(`{"id":"`+m.ID.String()+`"}`))
}

func (s *shape) message(m *holdfast.Message) {
	given := 0
	for _, target := range []string{m.Device, m.Shop, m.User} {
		if target != "" {
			given++
		}
		if len(target) > 128 {
			s.pointer("/to", "must be at most 128 characters")
		}
	}
	if given != 1 {
		s.pointer("/to", "must name one device, store or user")
	}
	if len(m.Body) == 0 || len(m.Body) > maxMessage {
		s.pointer("/body", "must be a JSON value of at most 64 KiB")
	}
	if m.ExpiresAt.IsZero() {
		m.ExpiresAt = time.Now().Add(30 * 24 * time.Hour)
	}
	if left := time.Until(m.ExpiresAt); left < 0 || left > maxMessageLife {
		s.pointer("/expiresAt", "must be within the next 90 days")
	}
}
