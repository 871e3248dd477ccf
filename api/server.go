package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/api/wire"
)

// Server answers the operations of the OpenAPI document. The generated strict
// handler serves most of them; those whose bytes matter are methods of Server.
type Server struct {
	wire.ServerInterface
	Config
	operations map[string]Operation
	docs       *page
}

// New makes a server; it reads the embedded document once.
func New(c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Limits.MaxBytes == 0 {
		c.Limits = DefaultLimits()
	}
	doc, err := readDocument()
	if err != nil {
		return nil, err
	}
	s := &Server{Config: c}
	if s.operations, err = doc.operations(); err != nil {
		return nil, err
	}
	if s.docs, err = newPage(doc); err != nil {
		return nil, err
	}
	s.ServerInterface = wire.NewStrictHandlerWithOptions(strict{s: s}, nil, wire.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: s.badParameter, ResponseErrorHandlerFunc: problem.Write,
	})
	return s, nil
}

// Register adds the document's routes. HEAD works wherever GET does.
func (s *Server) Register(r chi.Router) {
	wire.HandlerWithOptions(s, wire.ChiServerOptions{
		BaseRouter: withHead{r}, ErrorHandlerFunc: s.badParameter, Middlewares: []wire.MiddlewareFunc{wholeRequest},
	})
}

// wholeKey is where the request waits while the generated code binds.
type wholeKey struct{}

// withoutHeaders keeps the headers from the generated code, which would refuse
// what is repeated or ignorable, and tell that alone. The handlers read them.
func withoutHeaders(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		bare := r.WithContext(context.WithValue(r.Context(), wholeKey{}, r))
		bare.Header = http.Header{}
		h(w, bare)
	}
}

// wholeRequest gives the handlers the request as it came.
func wholeRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if whole, ok := r.Context().Value(wholeKey{}).(*http.Request); ok {
			r = whole
		}
		next.ServeHTTP(w, r)
	})
}

// withHead adds a HEAD beside every GET; net/http leaves the body out. Behind
// both, and POST, stands the generated code without the headers.
type withHead struct{ chi.Router }

func (w withHead) Group(f func(chi.Router)) chi.Router {
	return w.Router.Group(func(r chi.Router) { f(withHead{r}) })
}

func (w withHead) Get(pattern string, h http.HandlerFunc) {
	h = withoutHeaders(h)
	w.Router.Get(pattern, h)
	w.Router.Head(pattern, h)
}

func (w withHead) Post(pattern string, h http.HandlerFunc) { w.Router.Post(pattern, withoutHeaders(h)) }

func (w withHead) Put(pattern string, h http.HandlerFunc) { w.Router.Put(pattern, withoutHeaders(h)) }

func (w withHead) Patch(pattern string, h http.HandlerFunc) {
	w.Router.Patch(pattern, withoutHeaders(h))
}

func (w withHead) Delete(pattern string, h http.HandlerFunc) {
	w.Router.Delete(pattern, withoutHeaders(h))
}

func (w withHead) Head(pattern string, h http.HandlerFunc) { w.Router.Head(pattern, withoutHeaders(h)) }

func (w withHead) Options(pattern string, h http.HandlerFunc) {
	w.Router.Options(pattern, withoutHeaders(h))
}

// badParameter explains what the generated code could not bind.
func (s *Server) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	e := &holdfast.Error{Code: holdfast.CodeInvalidRequest, Detail: "A parameter of the request can't be read.", Err: err}
	var invalid *wire.InvalidParamFormatError
	var many *wire.TooManyValuesForParamError
	name, detail := "", ""
	switch {
	case errors.As(err, &invalid):
		name, detail = invalid.ParamName, "is not of the right form"
	case errors.As(err, &many):
		name, detail = many.ParamName, "is given more than once"
	}
	switch {
	case name == "":
	case r.Header.Values(name) != nil:
		e.Fields = []holdfast.FieldError{{Header: name, Detail: detail}}
	default:
		e.Fields = []holdfast.FieldError{{Parameter: name, Detail: detail}}
	}
	problem.Write(w, r, e)
}

// NotFound answers for routes that there are not.
func NotFound(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such route."})
}

// MethodNotAllowed answers for methods that a route does not have, and tells
// which it has. OPTIONS is one like any other: browsers of other sites have no
// business here.
func MethodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeMethodNotAllowed, Detail: "The route has these methods: " + strings.Join(allowed, ", ") + "."})
	}
}
