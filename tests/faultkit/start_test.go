package faultkit_test

import (
	"net/http"
	"testing"

	"github.com/holdfast-sync/holdfast/tests/faultkit"
)

func TestStarts(t *testing.T) {
	w := faultkit.WireMock(t)
	res, err := http.Get(w.URL() + "/x")
	if err != nil || res.StatusCode != 404 {
		t.Fatal(res, err)
	}
	res.Body.Close()
	t.Log(w.Journal(""))
	w.Stop()
	if _, err := http.Get(w.URL() + "/x"); err == nil {
		t.Fatal("a stopped server answers")
	}
	w.Start()
	t.Log(w.Journal(""))
	s := faultkit.SFTP(t)
	s.Kill()
	s.ChangeHostKey()
	s.Start()
}
