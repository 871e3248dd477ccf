package attachment

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// Put keeps a file that comes whole, under its digest: first is false when it was held, and then
// nothing is read. size is -1 when the client did not tell it.
//
// It fails with digest-mismatch, too-large, unsupported-media-type, invalid-request for octets that break off,
// overloaded, or backend-unavailable; nothing is visible then.
func (s *Service) Put(ctx context.Context, digest holdfast.Hash, size int64, contentType string, octets io.Reader) (first bool, err error) {
	if !s.Limits.Takes(contentType) {
		return false, unsupported()
	}
	if size > s.Limits.MaxPutBytes {
		return false, tooLarge(s.Limits.MaxPutBytes)
	}
	if held, err := s.held(ctx, digest); held || err != nil {
		return false, explain(err)
	}
	room := size
	if room < 0 {
		room = s.Limits.MaxPutBytes
	}
	spooled, err := s.Spool.take(ctx, room)
	if err != nil {
		return false, err
	}
	defer spooled.drop()
	sum := sha256.New()
	got, err := spooled.fill(octets, 0, room, sum)
	if err := whole(octets, got, size, room, err); err != nil {
		return false, err
	}
	if found := holdfast.Hash(sum.Sum(nil)); found != digest {
		s.Counted(Count{What: "mismatch", Bytes: got})
		return false, mismatch(digest, found)
	}
	a := holdfast.Attachment{Digest: digest, Size: got, ContentType: contentType}
	ctx, leave, err := s.lane(ctx, got)
	if err != nil {
		return false, err
	}
	defer leave()
	site, err := s.place(ctx, a, spooled.octets(0, got))
	if err != nil {
		return false, explain(err)
	}
	a.Sites = []string{site}
	first, err = s.Store.KeepAttachment(ctx, a, s.event(ctx, holdfast.ActionAttached, digest))
	if err != nil {
		return false, explain(err)
	}
	s.stored(a, first)
	return first, nil
}

// whole says what is wrong with octets of which got came, the last ones with err.
func whole(octets io.Reader, got, size, room int64, err error) error {
	switch {
	case errors.Is(err, errSpool):
		return full(err)
	case err == nil && size < 0: // as many as there is room for: are there more?
		var one [1]byte
		if n, _ := io.ReadFull(octets, one[:]); n > 0 {
			return tooLarge(room)
		}
		return nil
	case err != nil && !errors.Is(err, io.EOF), size >= 0 && got < size:
		return &holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "The body broke off.", Err: err}
	}
	return nil
}

func unsupported() error {
	return &holdfast.Error{Code: holdfast.CodeUnsupportedMediaType, Detail: "Files of this type are not taken here."}
}

// stored tells of a file that is kept now.
func (s *Service) stored(a holdfast.Attachment, first bool) {
	if !first {
		s.Counted(Count{What: "held", Bytes: a.Size})
		return
	}
	s.Counted(Count{What: "stored", Site: a.Sites[0], Bytes: a.Size})
	if s.Copies > 1 {
		select {
		case s.fresh <- a.Digest:
		default: // the next round finds it
		}
	}
}

// held says whether a file is held already. What the record says is believed of sites that can't
// be asked; of one that says no, the copy is lost, and the record is made to say so.
func (s *Service) held(ctx context.Context, digest holdfast.Hash) (bool, error) {
	a, err := s.Store.Attachment(ctx, digest)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var lost []string
	for _, name := range a.Sites {
		site, known := s.Sites.At(name)
		if !known {
			continue
		}
		info, err := site.Stat(ctx, ObjectName(digest))
		if gone := errors.Is(err, objectstore.ErrNotFound) || err == nil && info.Size != a.Size; gone {
			lost = append(lost, name)
			continue
		}
		s.Counted(Count{What: "held", Site: name, Bytes: a.Size})
		return true, nil // also one that can't be asked is believed
	}
	if len(lost) == 0 { // in sites that this node does not know
		return true, nil
	}
	s.Logger.WithContext(ctx).WithField("sha256", digest.String()).WithField("sites", lost).Warn("an attachment is not in the site that held it")
	return false, s.Store.LoseCopies(ctx, digest, lost, s.event(ctx, holdfast.ActionLost, digest))
}

// place puts verified octets into the first site that takes them. One that holds them already, whole, is
// as good; one that holds something else under the name (what a full or broken disk left) is passed over.
func (s *Service) place(ctx context.Context, a holdfast.Attachment, octets io.ReadSeeker) (string, error) {
	name := ObjectName(a.Digest)
	failed := objectstore.ErrUnavailable
	for _, at := range s.Sites.Order() {
		site, ok := s.Sites.At(at)
		if !ok {
			continue
		}
		if _, err := octets.Seek(0, io.SeekStart); err != nil {
			return "", full(err)
		}
		err := site.Put(ctx, name, a.Size, objectstore.Digest(a.Digest), octets)
		if errors.Is(err, objectstore.ErrExists) {
			err = s.isWhole(ctx, site, at, a)
		}
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, objectstore.ErrUnavailable) {
			return "", err
		}
		failed = err
	}
	return "", failed
}

// isWhole is nil when a site holds what the name says. It is read, since nothing else is known of it: a record
// may have been lost, or have been taken back because the copy is damaged.
func (s *Service) isWhole(ctx context.Context, site objectstore.Store, at string, a holdfast.Attachment) error {
	size, digest, err := hashOf(ctx, site, ObjectName(a.Digest))
	if err != nil {
		return err
	}
	if size != a.Size || digest != a.Digest {
		s.damaged(ctx, at, a.Digest, "it is not what its name says")
		return objectstore.ErrUnavailable
	}
	return nil
}

// hashOf reads an object.
func hashOf(ctx context.Context, site objectstore.Store, name string) (size int64, digest holdfast.Hash, err error) {
	r, _, err := site.Get(ctx, name, 0, -1)
	if err != nil {
		return 0, digest, err
	}
	defer r.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, r)
	return size, holdfast.Hash(sum.Sum(nil)), err
}

func (s *Service) damaged(ctx context.Context, site string, digest holdfast.Hash, how string) {
	s.Counted(Count{What: "damaged", Site: site})
	s.Logger.WithContext(ctx).WithField("sha256", digest.String()).WithField("site", site).WithField("how", how).Error("an attachment is damaged: take the object away by hand, another copy or the client brings it back")
}
