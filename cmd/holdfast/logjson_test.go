package main

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"
)

// Every line says what logrus's own formatter says, in the same order.
func TestJSONFormatterSaysWhatLogrusSays(t *testing.T) {
	theirs := &logrus.JSONFormatter{TimestampFormat: "2006-01-02T15:04:05.999999999Z07:00", DisableHTMLEscape: true}
	for _, data := range []logrus.Fields{
		{}, {"a": 1, "level": "x", "msg": 2, "time": true, "z": "é\n\"\\\x01<>&"}, {"error": errors.New("no"), "n": int64(-7), "f": 12.482, "list": []string{"a"}, "m": map[string]int{"b": 1}, "nil": nil},
	} {
		e := &logrus.Entry{Data: data, Time: nowFixed(), Level: logrus.WarnLevel, Message: "a \"message\""}
		want, err := theirs.Format(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (jsonFormatter{}).Format(e); err != nil || string(got) != string(want) {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	e := &logrus.Entry{Data: logrus.Fields{"inf": math.Inf(1), "fn": func() {}}, Time: nowFixed()}
	if got, _ := (jsonFormatter{}).Format(e); !json.Valid(got) {
		t.Errorf("%s", got)
	}
}

func TestJSONFormatterIsAlwaysJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := logrus.Fields{}
		for name, value := range rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "fields") {
			data[name] = value
		}
		e := &logrus.Entry{Data: data, Time: nowFixed(), Message: string(rapid.SliceOf(rapid.Byte()).Draw(t, "message"))}
		got, err := jsonFormatter{}.Format(e)
		if err != nil || !json.Valid(got) {
			t.Fatalf("%q %v", got, err)
		}
	})
}

func BenchmarkLogLine(b *testing.B) {
	e := &logrus.Entry{Time: nowFixed(), Level: logrus.InfoLevel, Message: "request", Data: logrus.Fields{
		"method": "POST", "status": 201, "bytesIn": int64(1834), "route": "/v1/streams/{streamId}/batches", "streamId": "7d444840-9dc0-11d1-b245-5ffdce74fad2", "storeId": "0042", "durationMs": 12.482, "correlationId": "0192f3c0-5a1e-7c3d-9b2f-1d2e3f4a5b6c",
	}}
	for b.Loop() {
		_, _ = jsonFormatter{}.Format(e)
	}
}
