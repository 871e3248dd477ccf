package attachment

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/objectstore"
	"github.com/holdfast-sync/holdfast/store"
)

// The kinds of findings.
const (
	FoundMissing  = "missing"  // the record says that a site holds a copy, and it does not
	FoundOrphaned = "orphaned" // a site holds an object, and no record tells of it anywhere
	FoundExtra    = "extra"    // a site holds a copy that the record does not tell of: a put whose answer was lost; nothing is wrong with it
	FoundDamaged  = "damaged"  // an object is not what its name says
	FoundLeftover = "leftover" // an upload's octets that nobody will go on with
)

// Finding is something that is not as it should be.
type Finding struct {
	Kind     string `json:"kind"`
	Site     string `json:"site"`
	Name     string `json:"name"`
	SHA256   string `json:"sha256,omitempty"`
	Detail   string `json:"detail"`
	Repaired bool   `json:"repaired"`
	// Lost says that no other copy is known: the client has to send the file again.
	Lost bool `json:"lost,omitempty"`
}

// CheckOptions say how thorough a check is.
type CheckOptions struct {
	Deep   bool // read every object and compare its digest
	Repair bool // make the records say what is so, make further copies where they are wanted, and sweep what is left over
	// Grace leaves alone what is younger: it may just be on its way.
	Grace    time.Duration
	Found    func(Finding)     // told of each, in the order of names
	Progress func(CheckReport) // told now and then
}

// CheckReport is what a check came to.
type CheckReport struct {
	Attachments int64 `json:"attachments"` // records looked at
	Objects     int64 `json:"objects"`     // in all sites
	Bytes       int64 `json:"bytes"`       // of these
	Missing     int64 `json:"missing"`
	Orphaned    int64 `json:"orphaned"`
	Extra       int64 `json:"extra"`
	Damaged     int64 `json:"damaged"`
	Leftovers   int64 `json:"leftovers"`
	Repaired    int64 `json:"repaired"`
	Lost        int64 `json:"lost"`
	// Unreachable sites could not be looked at, or not to their end.
	Unreachable []string `json:"unreachable"`
}

// Clean says that nothing is left that is not as it should be; extra copies are.
func (r CheckReport) Clean() bool {
	return r.Missing+r.Orphaned+r.Damaged+r.Leftovers == r.Repaired && r.Lost == 0 && len(r.Unreachable) == 0
}

type checker struct {
	*Service
	CheckOptions
	report CheckReport
	sites  []*siteList
	rows   *rowList
	now    time.Time
}

// siteList walks through the objects of one site.
type siteList struct {
	name  string
	site  objectstore.Store
	next  func() (objectstore.Info, error, bool) //nolint:revive // as iter.Pull2 has it
	stop  func()
	at    objectstore.Info
	valid bool
}

// rowList walks through the records.
type rowList struct {
	s     Store
	page  []holdfast.Attachment
	after holdfast.Hash
	end   bool
}

// Check compares the records with the sites, in the order of names, and reports what it finds. Requests may go
// on meanwhile: what does not fit is looked at again before it is told. Its error is the database's.
func (s *Service) Check(ctx context.Context, o CheckOptions) (CheckReport, error) {
	c := &checker{Service: s, CheckOptions: o, rows: &rowList{s: s.Store}, now: s.Now(), report: CheckReport{Unreachable: []string{}}}
	for _, name := range s.Sites.Names() {
		site, ok := s.Sites.At(name)
		if !ok {
			continue
		}
		l := &siteList{name: name, site: site}
		l.next, l.stop = iter.Pull2(site.List(ctx, Prefix, ""))
		defer l.stop()
		c.sites = append(c.sites, l)
		c.advance(l)
	}
	if err := c.walk(ctx); err != nil {
		return c.report, explain(err)
	}
	if c.Repair {
		s.copySparse(ctx, 0)
	}
	return c.report, explain(c.leftovers(ctx))
}

// advance moves a site to its next object.
func (c *checker) advance(l *siteList) {
	info, err, more := l.next()
	if err != nil {
		c.unreachable(l)
		more = false
	}
	if l.at, l.valid = info, more; more {
		c.report.Objects++
		c.report.Bytes += info.Size
	}
}

// unreachable leaves a site alone: nothing is known of what it holds.
func (c *checker) unreachable(l *siteList) {
	if !slices.Contains(c.report.Unreachable, l.name) {
		c.report.Unreachable = append(c.report.Unreachable, l.name)
	}
	c.sites = slices.DeleteFunc(c.sites, func(other *siteList) bool { return other == l })
}

// peek is the next record.
func (r *rowList) peek(ctx context.Context) (*holdfast.Attachment, error) {
	if len(r.page) == 0 && !r.end {
		var err error
		if r.page, err = r.s.Attachments(ctx, r.after, 1000); err != nil {
			return nil, err
		}
		if r.end = len(r.page) == 0; !r.end {
			r.after = r.page[len(r.page)-1].Digest
		}
	}
	if r.end {
		return nil, nil //nolint:nilnil // the end
	}
	return &r.page[0], nil
}

// walk goes through records and sites together.
func (c *checker) walk(ctx context.Context) error {
	for n := 0; ; n++ {
		row, err := c.rows.peek(ctx)
		if err != nil {
			return err
		}
		name := ""
		if row != nil {
			name = ObjectName(row.Digest)
		}
		for _, l := range c.sites {
			if l.valid && (name == "" || l.at.Name < name) {
				name = l.at.Name
			}
		}
		if name == "" {
			return nil
		}
		found := map[*siteList]objectstore.Info{}
		for _, l := range slices.Clone(c.sites) {
			if l.valid && l.at.Name == name {
				found[l] = l.at
				c.advance(l)
			}
		}
		if row != nil && ObjectName(row.Digest) == name {
			c.rows.page = c.rows.page[1:]
			c.report.Attachments++
		} else {
			row = nil
		}
		if err := c.one(ctx, name, row, found); err != nil {
			return err
		}
		if c.Progress != nil && n%100 == 0 {
			c.Progress(c.report)
		}
	}
}

// one looks at a name: its record, if there is one, and the objects.
func (c *checker) one(ctx context.Context, name string, row *holdfast.Attachment, found map[*siteList]objectstore.Info) error {
	digest, ok := DigestOf(name)
	if !ok {
		for l := range found {
			c.find(Finding{Kind: FoundOrphaned, Site: l.name, Name: name, Detail: "the name is not an attachment's"})
		}
		return nil
	}
	good := map[string]bool{}
	for _, l := range slices.SortedFunc(maps.Keys(found), func(a, b *siteList) int { return bytes.Compare([]byte(a.name), []byte(b.name)) }) {
		whole, err := c.object(ctx, l, digest, row, found[l])
		if err != nil {
			return err
		}
		good[l.name] = whole
	}
	if row == nil {
		return nil
	}
	for _, at := range row.Sites {
		l := c.list(at)
		if _, there := good[at]; l == nil || there {
			continue
		}
		if err := c.missing(ctx, l, name, digest, good); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) list(site string) *siteList {
	for _, l := range c.sites {
		if l.name == site {
			return l
		}
	}
	return nil
}

// missing tells of a copy that is not there, unless it or the record has changed meanwhile.
func (c *checker) missing(ctx context.Context, l *siteList, name string, digest holdfast.Hash, good map[string]bool) error {
	if _, err := l.site.Stat(ctx, name); !errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	a, err := c.Store.Attachment(ctx, digest)
	if errors.Is(err, store.ErrNotFound) || err == nil && !slices.Contains(a.Sites, l.name) {
		return nil
	}
	if err != nil {
		return err
	}
	f := Finding{Kind: FoundMissing, Site: l.name, Name: name, Detail: "the site does not hold the copy that the record tells of"}
	f.Lost = !slices.ContainsFunc(a.Sites, func(other string) bool { return other != l.name && (c.list(other) == nil || good[other]) })
	if c.Repair {
		if err := c.Store.LoseCopies(ctx, digest, []string{l.name}, c.event(ctx, holdfast.ActionLost, digest)); err != nil {
			return err
		}
		f.Repaired = true
	}
	c.find(f)
	return nil
}

// object looks at one that is there: true when it is what its name says, as far as was looked.
func (c *checker) object(ctx context.Context, l *siteList, digest holdfast.Hash, row *holdfast.Attachment, info objectstore.Info) (bool, error) {
	known := row != nil && slices.Contains(row.Sites, l.name)
	if !known && c.now.Sub(info.ModTime) < c.Grace {
		return true, nil // its record may be on its way
	}
	f := Finding{Site: l.name, Name: info.Name}
	wrong := row != nil && info.Size != row.Size
	if !wrong && (c.Deep || !known) {
		_, found, err := hashOf(ctx, l.site, info.Name)
		if errors.Is(err, objectstore.ErrUnavailable) {
			c.unreachable(l)
			return true, nil
		}
		if errors.Is(err, objectstore.ErrNotFound) { // taken away a moment ago
			return false, nil
		}
		wrong = err != nil || found != digest
	}
	if wrong {
		f.Kind, f.Detail = FoundDamaged, "the object is not what its name says; take it away by hand, nothing overwrites it"
		if known && c.Repair {
			if err := c.Store.LoseCopies(ctx, digest, []string{l.name}, c.event(ctx, holdfast.ActionLost, digest)); err != nil {
				return false, err
			}
			f.Detail += " (the record does not count it any more)"
		}
		c.find(f)
		return false, nil
	}
	if known {
		return true, nil
	}
	if a, err := c.Store.Attachment(ctx, digest); err == nil && slices.Contains(a.Sites, l.name) {
		return true, nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	f.Kind, f.Detail = FoundOrphaned, "no record tells of this object"
	if row != nil {
		f.Kind, f.Detail = FoundExtra, "the record does not tell of this copy"
	}
	if c.Repair {
		a := holdfast.Attachment{Digest: digest, Size: info.Size, Sites: []string{l.name}}
		if _, err := c.Store.KeepAttachment(ctx, a, c.event(ctx, holdfast.ActionAttached, digest)); err != nil {
			return false, err
		}
		f.Repaired = row == nil
	}
	c.find(f)
	return true, nil
}

// leftovers looks for uploads that ended long ago, and for what belongs to none.
func (c *checker) leftovers(ctx context.Context) error {
	if c.Repair {
		c.Sweep(ctx)
		c.sweepStrays(ctx, c.strayAge(), func(site, name string) {
			c.find(Finding{Kind: FoundLeftover, Site: site, Name: name, Detail: "belonged to no upload any more", Repaired: true})
		})
	}
	ended, err := c.Store.ExpiredUploads(ctx, c.now.Add(-c.Grace), 10_000)
	for _, u := range ended {
		c.find(Finding{Kind: FoundLeftover, Site: u.Site, Name: objectstore.Transient + u.ID.String(), Detail: "an upload ended and was not swept"})
	}
	return err
}

func (c *checker) find(f Finding) {
	if digest, ok := DigestOf(f.Name); ok {
		f.SHA256 = digest.String()
	}
	switch f.Kind {
	case FoundMissing:
		c.report.Missing++
	case FoundOrphaned:
		c.report.Orphaned++
	case FoundExtra:
		c.report.Extra++
	case FoundDamaged:
		c.report.Damaged++
	case FoundLeftover:
		c.report.Leftovers++
	}
	if f.Repaired {
		c.report.Repaired++
	}
	if f.Lost {
		c.report.Lost++
	}
	if c.Found != nil {
		c.Found(f)
	}
}
