package settings_test

import (
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/internal/settings"
)

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"postgres://u:secret@h:1,i:2/d?sslmode=require": "postgres://u:***@h:1,i:2/d?sslmode=require",
		"postgres://u@h/d":                                     "postgres://u@h/d",
		"postgres://h/d?user=u&password=secret":                "postgres://h/d?user=u&password=***",
		"postgres://h/d?sslpassword=secret&application_name=a": "postgres://h/d?sslpassword=***&application_name=a",
		"postgres://h/d?p%61ssword=secret":                     "postgres://h/d?p%61ssword=***",
		"postgres://h/d?%zz=secret":                            "postgres://h/d?%zz=***",
		"postgres://u:sec@ret@h/d":                             "postgres://u:***@h/d",
		"postgres://u:sec/ret@h/d":                             "postgres://***",
		"redis://:secret@h:6379/0":                             "redis://:***@h:6379/0",
		"host=h password=secret":                               "***",
	} {
		if got := settings.MaskURL(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestEffectiveHidesSecrets(t *testing.T) {
	inFolder(t, "databaseUrl: postgres://u:secret@h/d\nredisUrl: redis://:secret@h:1/0\nschemas: {types: [{type: a, version: 1, file: a.json}]}\n")
	text := map[string]string{}
	for _, v := range load(t, settings.Sources{}).Effective() {
		text[v.Setting] = v.Value
		if strings.Contains(v.Value, "secret") {
			t.Errorf("%+v", v)
		}
	}
	for key, want := range map[string]string{
		"databaseUrl": "postgres://u:***@h/d", "redisUrl": "redis://:***@h:1/0", "schemas.types": "a/1=a.json",
		"limits.maxBytes": "4MiB", "limits.drainGrace": "2s", "limits.requestsPerMinute": "auto", "limits.connections": "10000",
	} {
		if text[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, text[key], want)
		}
	}
}

func FuzzMaskURL(f *testing.F) {
	f.Add("u", "h", "/d")
	f.Add("", "a:1,b:2", "?x=y")
	f.Fuzz(func(t *testing.T, user, host, tail string) {
		const password = "p4ssw0rd-that-nobody-types"
		if got := settings.MaskURL("postgres://" + user + ":" + password + "@" + host + tail); strings.Contains(got, password) {
			t.Errorf("%q", got)
		}
	})
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "512": "512", "1024": "1KiB", "4 MiB": "4MiB", "1GiB": "1GiB", "1500": "1500"} {
		got, err := settings.ParseSize(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "1.5MiB", "4MB", "9223372036854775807KiB", "KiB"} {
		if got, err := settings.ParseSize(in); err == nil {
			t.Errorf("%s: %d", in, got)
		}
	}
}
