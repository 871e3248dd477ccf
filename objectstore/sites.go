package objectstore

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Location is one site of a setting such as
//
//	east=s3://key:secret@host:9000/bucket?tls=0,west=file:///var/lib/objects
//
// Special characters of key and secret are percent-encoded.
type Location struct {
	Site   string
	Kind   string // s3 or file
	Path   string // of kind file: a folder
	Host   string // of kind s3: host or host:port
	Bucket string
	Prefix string // in front of every name; empty or with a slash at its end
	Key    string
	Secret string
	TLS    bool // default true
	Region string
	// CA is a file of certificates (PEM) that the service's is signed by; empty: the system's.
	CA string
	// Style is where the bucket stands: path, virtual (in front of the host), or empty: virtual for Amazon, else path.
	Style string
}

var siteName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// ParseLocations reads the setting. Its errors never repeat what may be secret.
func ParseLocations(text string) ([]Location, error) {
	var all []Location
	seen := map[string]bool{}
	for i, one := range strings.Split(text, ",") {
		site, address, found := strings.Cut(strings.TrimSpace(one), "=")
		if !found || !siteName.MatchString(site) {
			return nil, fmt.Errorf("site %d must be name=URL, the name of lower-case letters, digits and hyphens", i+1)
		}
		if seen[site] {
			return nil, fmt.Errorf("site %s is named twice", site)
		}
		seen[site] = true
		location, err := parseLocation(address)
		if err != nil {
			return nil, fmt.Errorf("site %s: %w", site, err)
		}
		location.Site = site
		all = append(all, location)
	}
	return all, nil
}

func parseLocation(address string) (Location, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Location{}, errors.New("the URL can't be read; write special characters of key and secret as %2F, %40 and so on")
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" {
			return Location{}, errors.New("must be file:///folder")
		}
		return Location{Kind: "file", Path: u.Path}, nil
	case "s3":
		return parseS3(u)
	}
	return Location{}, errors.New("the URL must begin with s3:// or file:///")
}

func parseS3(u *url.URL) (Location, error) {
	l := Location{Kind: "s3", Host: u.Host, TLS: true, Key: u.User.Username()}
	l.Secret, _ = u.User.Password()
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	l.Bucket = bucket
	if prefix != "" {
		if CheckName(prefix) != nil {
			return Location{}, errors.New("the prefix behind the bucket can't be one")
		}
		l.Prefix = prefix + "/"
	}
	if u.Hostname() == "" || bucket == "" || l.Key == "" || l.Secret == "" {
		return Location{}, errors.New("must be s3://key:secret@host:port/bucket")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Location{}, errors.New("the query can't be read")
	}
	for name, values := range q {
		switch {
		case name == "tls" && (values[0] == "0" || values[0] == "1"):
			l.TLS = values[0] == "1"
		case name == "region" && siteName.MatchString(values[0]):
			l.Region = values[0]
		case name == "ca" && strings.HasPrefix(values[0], "/"):
			l.CA = values[0]
		case name == "style" && (values[0] == "path" || values[0] == "virtual"):
			l.Style = values[0]
		default:
			return Location{}, errors.New("the query may hold tls=0 or tls=1, region=name, ca=/file.pem and style=path or style=virtual")
		}
	}
	return l, nil
}
