package prefetch_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/prefetch"
)

// server is a real one on a real network, which answers as told.
type server struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newServer(t testing.TB, secure bool) *server {
	s := &server{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	})
	s.Server = httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = quiet()
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *server) will(f http.HandlerFunc) { s.answer.Store(&f) }

// text answers octets with what net/http makes of conditions.
func text(octets string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-test")
		w.Header().Set("ETag", fmt.Sprintf("%q", holdfast.HashOf([]byte(octets))))
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(octets))
	}
}

// raw writes to the connection what is no HTTP, or nearly, and closes it.
func raw(octets string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, octets)
		_ = conn.Close()
	}
}

// stuck answers a part and then nothing until the client goes away.
func stuck(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if part != "" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// secretly is the address of a resource with things in it that nobody may see.
func (s *server) secretly(t testing.TB) string {
	u, err := url.Parse(s.URL + "/app.bin?token=hidden")
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "secret")
	return u.String()
}

// What a real upstream does wrong over a real connection never changes what is held, and what is told of it
// holds nothing of the address or of the answer.
func TestFaultsOfARealUpstream(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("two"))
	_ = z.Close()
	elsewhere := newServer(t, false)
	elsewhere.will(text("two"))
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/hidden\r\n"
	for what, f := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "two hidden", 500) },
		"404": http.NotFound,
		"206": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206); _, _ = io.WriteString(w, "two") },
		"204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1001")
			_, _ = w.Write(make([]byte, 1001))
		},
		"too large, chunks": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); _, _ = w.Write(make([]byte, 1001)) },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		},
		"another host": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/?hidden", http.StatusFound)
		},
		"a loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again?hidden", http.StatusFound) },
		"no place": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://secret:hidden:%zz/")
			w.WriteHeader(302)
		},
		"nowhere":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) },
		"no answer":       raw(""),
		"no HTTP":         raw("220 hidden.example ESMTP secret\r\n"),
		"half a head":     raw("HTTP/1.1 200 OK\r\nhidden"),
		"bad header":      raw("HTTP/1.1 200 OK\r\nhidden secret\r\n\r\n"),
		"cut":             raw(head + "Content-Length: 100\r\n\r\ntwo"),
		"garbage length":  raw(head + "Content-Length: hidden\r\n\r\ntwo"),
		"negative length": raw(head + "Content-Length: -3\r\n\r\ntwo"),
		"two lengths":     raw(head + "Content-Length: 3\r\nContent-Length: 2\r\n\r\ntwo"),
		"cut chunks":      raw(head + "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n"),
		"bad chunks":      raw(head + "Transfer-Encoding: chunked\r\n\r\nhidden\r\ntwo\r\n0\r\n\r\n"),
		"open end":        raw(head + "Connection: close\r\n\r\ntwo"),
		"HTTP/1.0":        raw("HTTP/1.0 200 OK\r\n\r\ntwo"),
		"never begins":    stuck(""),
		"never ends":      stuck("two"),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, false)
			s.will(text("one"))
			var logged bytes.Buffer
			seen := &events{each: make(chan prefetch.Outcome, 1000)}
			c := s.config(t, &logged, seen)
			l, stop := start(t, c)
			if o := <-seen.each; o != prefetch.Fresh {
				t.Fatal(o, l.Health())
			}
			s.will(f)
			missing(t, l, "app.bin", "two") // asks
			if o := <-seen.each; o != prefetch.Failed {
				t.Fatal(o)
			}
			expect(t, l, "app.bin", "one")
			err := l.Health()["app.bin"]
			if err == nil {
				t.Fatal("nothing is told")
			}
			stop()
			shown := err.Error() + logged.String()
			for _, secret := range []string{"secret", "hidden", "token", "127.0.0.1", "app.bin?", "user"} {
				if strings.Contains(shown, secret) {
					t.Fatalf("%s is in %s", secret, shown)
				}
			}
			if n := len(blobs(t, c.Cache)); n != 1 {
				t.Fatal("something is left beside", n)
			}
			s.will(text("two"))
			l, _ = start(t, c)
			if o := <-seen.each; o != prefetch.Fresh {
				t.Fatal(o)
			}
			expect(t, l, "app.bin", "two")
		})
	}
	t.Cleanup(func() {
		if n := elsewhere.asked.Load(); n != 0 {
			t.Error("another host was asked", n)
		}
	})
}

func (s *server) config(t testing.TB, to io.Writer, seen *events) prefetch.Config {
	logger := logrus.New()
	logger.SetOutput(to)
	logger.SetLevel(logrus.TraceLevel)
	return prefetch.Config{
		Resources: []prefetch.Resource{{Name: "app.bin", URL: s.secretly(t)}}, Cache: t.TempDir(), Refresh: time.Hour,
		Patience: 2 * time.Second, MaxBytes: 1000, Logger: logger, Changed: seen.changed,
	}
}

// quiet is for servers whose clients hang up.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// What is right is taken in all its forms.
func TestAnswersOfARealUpstream(t *testing.T) {
	for what, f := range map[string]http.HandlerFunc{
		"with a length":   text("two"),
		"exactly as much": text(strings.Repeat("x", 1000)),
		"nothing":         text(""),
		"chunks": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "t")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "wo")
		},
		"same host": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
				return
			}
			text("two")(w, r)
		},
		"identity": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "identity")
			text("two")(w, r)
		},
		"long headers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Last-Modified", strings.Repeat("x", 5000))
			text("two")(w, r)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, false)
			s.will(func(w http.ResponseWriter, r *http.Request) {
				if user, password, _ := r.BasicAuth(); user != "user" || password != "secret" || r.Header.Get("Accept-Encoding") != "identity" {
					w.WriteHeader(401)
					return
				}
				f(w, r)
			})
			seen := &events{each: make(chan prefetch.Outcome, 1000)}
			l, _ := start(t, s.config(t, io.Discard, seen))
			if o := <-seen.each; o != prefetch.Fresh {
				t.Fatal(o, l.Health())
			}
			listed(t, l)
			if e := l.List()[0]; what == "with a length" && e.ContentType != "application/x-test" {
				t.Fatalf("%+v", e)
			}
		})
	}
}

func TestLastModifiedIsEnough(t *testing.T) {
	s := newServer(t, false)
	changed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.will(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", changed, strings.NewReader("one"))
	})
	seen := &events{each: make(chan prefetch.Outcome, 1000)}
	c := s.config(t, io.Discard, seen)
	for _, want := range []prefetch.Outcome{prefetch.Fresh, prefetch.Same, prefetch.Same} {
		l, stop := start(t, c)
		if o := <-seen.each; o != want {
			t.Fatal(o, want)
		}
		expect(t, l, "app.bin", "one")
		stop()
	}
}

// An upstream that says 304 to who has nothing gives nothing.
func TestNotModifiedWithoutBeingAsked(t *testing.T) {
	s := newServer(t, false)
	s.will(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	seen := &events{each: make(chan prefetch.Outcome, 1000)}
	l, _ := start(t, s.config(t, io.Discard, seen))
	if o := <-seen.each; o != prefetch.Failed || len(l.List()) != 0 {
		t.Fatal(o, l.List())
	}
}

func TestNobodyToAsk(t *testing.T) {
	closed := newServer(t, false)
	closed.will(text("one"))
	closed.Close()
	stranger := newServer(t, true)
	stranger.will(text("one"))
	for want, address := range map[string]string{
		"refused":     closed.secretly(t),
		"not trusted": stranger.secretly(t),
		"be found":    "http://user:secret@hidden.invalid/?token",
	} {
		seen := &events{each: make(chan prefetch.Outcome, 1000)}
		c := closed.config(t, io.Discard, seen)
		c.Patience = 10 * time.Second
		c.Transport = &http.Transport{} // no proxy of the environment's
		c.Resources[0].URL = address
		l, stop := start(t, c)
		<-seen.each
		if err := l.Health()["app.bin"]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		stop()
	}
}

func TestHTTPS(t *testing.T) {
	s := newServer(t, true)
	s.will(text("one"))
	seen := &events{each: make(chan prefetch.Outcome, 1000)}
	c := s.config(t, io.Discard, seen)
	c.Patience = 10 * time.Second
	c.Transport = s.Client().Transport
	l, _ := start(t, c)
	if o := <-seen.each; o != prefetch.Fresh {
		t.Fatal(o, l.Health())
	}
	expect(t, l, "app.bin", "one")
	plainly := "http" + strings.TrimPrefix(s.URL, "https")
	s.will(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plainly+"/again", http.StatusFound) })
	missing(t, l, "app.bin", "two")
	if o := <-seen.each; o != prefetch.Failed || !strings.Contains(l.Health()["app.bin"].Error(), "redirects") {
		t.Fatal(o, l.Health())
	}
}
