package objectstore

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseLocations(t *testing.T) {
	got, err := ParseLocations("east=s3://key:s%2Fec@h:9000/bucket/pre?tls=0&region=us-east-1, west=file:///var/objects,own=s3://k:s@h/b?ca=/etc/ca.pem&style=virtual,x=s3://k:s@h/b")
	want := []Location{
		{Site: "east", Kind: "s3", Host: "h:9000", Bucket: "bucket", Prefix: "pre/", Key: "key", Secret: "s/ec", Region: "us-east-1"},
		{Site: "west", Kind: "file", Path: "/var/objects"},
		{Site: "own", Kind: "s3", Host: "h", Bucket: "b", Key: "k", Secret: "s", TLS: true, CA: "/etc/ca.pem", Style: "virtual"},
		{Site: "x", Kind: "s3", Host: "h", Bucket: "b", Key: "k", Secret: "s", TLS: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestParseLocationsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "site 1 must be name=URL",
		"s3://canary:canary@h/b":                 "site 1 must be name=URL",
		"a=file:///x,a=file:///y":                "site a is named twice",
		"A=file:///x":                            "site 1 must be name=URL",
		"a=file://host/x":                        "must be file:///folder",
		"a=ftp://canary:canary@h/b":              "must begin with s3:// or file:///",
		"a=s3://h/b":                             "must be s3://key:secret@host:port/bucket",
		"a=s3://canary@h/b":                      "must be s3://key:secret@host:port/bucket",
		"a=s3://canary:canary@h":                 "must be s3://key:secret@host:port/bucket",
		"a=s3://canary:canary@h/b?tls=2":         "the query may hold",
		"a=s3://canary:canary@h/b?canary=1":      "the query may hold",
		"a=s3://canary:canary@h/b?ca=here.pem":   "the query may hold",
		"a=s3://canary:canary@h/b?style=odd":     "the query may hold",
		"a=s3://canary:can%zzary@h/b":            "can't be read",
		"a=s3://canary:canary@h/b/../c":          "the prefix",
		"a=s3://canary:canary@h/b?region=%zz":    "the query can't be read",
		"a=file:///x,b=s3://canary:canary@h/b?x": "the query may hold",
	} {
		_, err := ParseLocations(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseLocations(f *testing.F) {
	f.Add("east=s3://key:s%2Fec@h:9000/bucket/pre?tls=0&region=us-east-1,west=file:///var/objects")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseLocations(text)
		if err != nil {
			return
		}
		for _, l := range all {
			if l.Site == "" || l.Kind == "s3" && (l.Host == "" || l.Bucket == "" || l.Secret == "") || l.Kind == "file" && !strings.HasPrefix(l.Path, "/") {
				t.Fatalf("%q: %+v", text, l)
			}
		}
	})
}
