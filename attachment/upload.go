package attachment

import (
	"context"
	"errors"
	"hash"
	"strings"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// Create begins an upload of u.Size octets; u names Size, Announced, ContentType and Metadata.
func (s *Service) Create(ctx context.Context, u holdfast.Upload) (holdfast.Upload, error) {
	if !s.Limits.Takes(u.ContentType) {
		return u, unsupported()
	}
	if u.Size > s.Limits.MaxBytes {
		return u, tooLarge(s.Limits.MaxBytes)
	}
	if err := mayUpload(ctx, holdfast.Owner{}); err != nil {
		return u, err
	}
	u.ID, u.CreatedAt = holdfast.NewID(s.Now()), s.Now().UTC()
	u.ExpiresAt = u.CreatedAt.Add(s.Limits.Expiry)
	u.Owner = holdfast.RequestContextFrom(ctx).Owner()
	return u, explain(s.Store.CreateUpload(ctx, u, s.Limits.PerDevice))
}

// Upload tells how far one has come.
func (s *Service) Upload(ctx context.Context, id holdfast.ID) (holdfast.Upload, error) {
	u, err := s.Store.Upload(ctx, id)
	if err == nil && u.ExpiresAt.Before(s.Now()) {
		err = store.ErrNotFound
	}
	if err != nil {
		return u, explain(err)
	}
	return u, mayUpload(ctx, u.Owner)
}

// mayUpload refuses who contradicts their own credentials or the owner of an upload. Who acts by
// another scope than a device's is not held to be its owner.
func mayUpload(ctx context.Context, owner holdfast.Owner) error {
	rc, who := holdfast.RequestContextFrom(ctx), holdfast.PrincipalFrom(ctx)
	if rc.Contradiction != "" {
		return &holdfast.Error{
			Code: holdfast.CodeForbidden, Detail: "The header contradicts the credentials.",
			Fields: []holdfast.FieldError{{Header: rc.Contradiction, Detail: "is not what the credentials name"}},
		}
	}
	if (who.Anonymous || who.Scope == holdfast.ScopeDevice) && owner.Contradicts(rc.Owner()) {
		return &holdfast.Error{Code: holdfast.CodeForbidden, Detail: "The upload was begun by another device or store."}
	}
	return nil
}

// End forgets an upload that is not wanted any more; a finished file stays.
func (s *Service) End(ctx context.Context, id holdfast.ID) error {
	if _, err := s.Upload(ctx, id); err != nil {
		return err
	}
	u, err := s.Store.ClaimUpload(ctx, id, s.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return explain(err)
	}
	s.clean(ctx, u)
	return explain(s.Store.DropUpload(ctx, u))
}

// clean takes away what an upload left in its site; false when that could not be asked.
func (s *Service) clean(ctx context.Context, u holdfast.Upload) bool {
	site, ok := s.Sites.At(u.Site)
	st, _, err := parseState(u.State)
	if !ok || err != nil {
		return u.Site == ""
	}
	done := true
	if st.Assembly != "" {
		done = site.Abort(ctx, st.Name, st.Assembly) == nil
	}
	if strings.HasPrefix(st.Name, objectstore.Transient) { // completed, and not adopted
		done = site.Remove(ctx, st.Name) == nil && done
	}
	for _, p := range st.Pieces {
		done = site.Remove(ctx, p.Name) == nil && done
	}
	return done
}

// session is an upload that one request has taken over.
type session struct {
	s *Service
	holdfast.Upload
	state  state
	sum    hash.Hash // at Offset
	pieces int       // that this session has put
}

// takeOver makes the caller the only one who can go on with an upload.
func (s *Service) takeOver(ctx context.Context, id holdfast.ID) (*session, error) {
	before, err := s.Upload(ctx, id)
	if err != nil {
		return nil, err
	}
	u, err := s.Store.ClaimUpload(ctx, id, s.until(before))
	if err != nil {
		return nil, explain(err)
	}
	w := &session{s: s, Upload: u}
	if w.state, w.sum, err = parseState(u.State); err != nil {
		return nil, explain(err)
	}
	if w.state.Assembly != "" {
		w.state.Next++ // who had it before may be putting a part under the number that was next
		if err := w.save(ctx, w.sum); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// until is when an upload ends that somebody goes on with now.
func (s *Service) until(u holdfast.Upload) time.Time {
	until, most := s.Now().UTC().Add(s.Limits.Expiry), u.CreatedAt.Add(maxAge*s.Limits.Expiry)
	if until.After(most) {
		return most
	}
	return until
}

// save keeps the session's state at a sum.
func (w *session) save(ctx context.Context, sum hash.Hash) error {
	text, err := w.state.with(sum)
	if err != nil {
		return explain(err)
	}
	w.State = text
	return explain(w.s.Store.SaveUpload(ctx, w.Upload))
}
