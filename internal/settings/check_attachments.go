package settings

import (
	"regexp"

	"github.com/holdfast-sync/holdfast/objectstore"
)

// fileType is a media type or all of a family (RFC 9110, 8.3.1).
var fileType = regexp.MustCompile(`^[a-z0-9!#$&^_.+-]+/(\*|[a-z0-9!#$&^_.+-]+)$`)

func (s *Settings) checkAttachments() error {
	a := s.Attachments
	if a.MaxPutBytes > a.MaxBytes {
		if s.origins["attachments.maxPutBytes"] != fromDefault {
			return s.wrong("attachments.maxPutBytes", "must be at most attachments.maxBytes, %s", a.MaxBytes)
		}
		s.Attachments.MaxPutBytes = a.MaxBytes
	}
	if a.SpoolBytes < s.Attachments.MaxPutBytes {
		return s.wrong("attachments.spoolBytes", "must be at least attachments.maxPutBytes, %s", s.Attachments.MaxPutBytes)
	}
	for _, one := range a.FileTypes() {
		if !fileType.MatchString(one) {
			return s.wrong("attachments.types", "must be media types in lower case such as image/* or application/pdf, with commas between them, not %q", one)
		}
	}
	return s.checkSites()
}

// checkSites holds the settings that name sites against each other.
func (s *Settings) checkSites() error {
	names := []string{"local"}
	if s.ObjectStores != "" {
		locations, err := objectstore.ParseLocations(s.ObjectStores)
		if err != nil {
			return s.wrong("objectStores", "%v", err)
		}
		names = nil
		for _, l := range locations {
			names = append(names, l.Site)
		}
	}
	if s.Attachments.Copies > int64(len(names)) {
		return s.wrong("attachments.copies", "must be at most the number of sites, %d", len(names))
	}
	for _, name := range names {
		if s.Site == "" || s.Site == name {
			return nil
		}
	}
	return s.wrong("site", "must be one of objectStores, not %q", s.Site)
}
