package api

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/api/problem"
	"github.com/holdfast-sync/holdfast/openapi"
)

//go:embed docs/*
var docsFiles embed.FS

// page is the reference, made once; it holds no script and loads nothing.
type page struct {
	reference []byte
	problems  map[string][]byte
}

// pageSecurity lets the page's own style be, and nothing else.
const pageSecurity = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func newPage(d *document) (*page, error) {
	style, err := docsFiles.ReadFile("docs/style.css")
	if err != nil {
		return nil, err
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"prose": prose, "anchor": anchor, "yaml": yamlText, "name": refName, "kind": kindOf, "scopes": scopeNames,
		"style":     func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
		"parameter": d.parameter, "response": d.response, "has": slices.Contains[[]string],
	}).ParseFS(docsFiles, "docs/*.html")
	if err != nil {
		return nil, err
	}
	operations, err := d.each()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "reference.html", map[string]any{"Document": d, "Operations": operations, "Problems": sortedProblems()}); err != nil {
		return nil, err
	}
	p := &page{reference: out.Bytes(), problems: map[string][]byte{}}
	for _, row := range sortedProblems() {
		var one bytes.Buffer
		if err := t.ExecuteTemplate(&one, "problem.html", row); err != nil {
			return nil, err
		}
		p.problems[string(row.Code)] = one.Bytes()
	}
	return p, nil
}

type problemRow struct {
	Code holdfast.Code
	problem.Kind
}

// sortedProblems are all codes by status.
func sortedProblems() []problemRow {
	var rows []problemRow
	for _, code := range problem.Codes() {
		kind, _ := problem.KindOf(code)
		rows = append(rows, problemRow{code, kind})
	}
	slices.SortFunc(rows, func(a, b problemRow) int {
		if a.Status != b.Status {
			return a.Status - b.Status
		}
		return strings.Compare(string(a.Code), string(b.Code))
	})
	return rows
}

// parameter follows a reference into the components.
func (d *document) parameter(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Parameters[refName(p.Ref)]
	}
	return p
}

func (d *document) response(r response) response {
	if r.Ref != "" {
		return d.Components.Responses[refName(r.Ref)]
	}
	return r
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func anchor(parts ...string) string {
	return strings.ToLower(strings.Trim(notInAnchors.ReplaceAllString(strings.Join(parts, "-"), "-"), "-"))
}

var notInAnchors = regexp.MustCompile(`[^A-Za-z0-9]+`)

func scopeNames(op OperationObject) string {
	public, scopes := op.scopes()
	if public {
		return "no credentials needed"
	}
	names := make([]string, 0, len(scopes)+1)
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return strings.Join(append(names, "admin"), ", ")
}

// kindOf is a schema's type in words.
func kindOf(s schema) string {
	words := []string{s.Type}
	if s.Format != "" {
		words = append(words, "("+s.Format+")")
	}
	if s.Minimum != nil {
		words = append(words, "from "+strconv.FormatInt(*s.Minimum, 10))
	}
	for _, limit := range []struct {
		n          *int
		head, tail string
	}{{s.MinLength, "at least", "characters"}, {s.MaxLength, "at most", "characters"}, {s.MinItems, "at least", "items"}, {s.MaxItems, "at most", "items"}} {
		if limit.n != nil {
			words = append(words, limit.head+" "+strconv.Itoa(*limit.n)+" "+limit.tail)
		}
	}
	if s.Const != "" {
		words = append(words, "always "+s.Const)
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// prose shows the little Markdown that the document's descriptions use:
// paragraphs, lists, **bold**, *emphasis* and `code`.
func prose(text string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(block, "- ") {
			out.WriteString("<ul>")
			for item := range strings.SplitSeq("\n"+block, "\n- ") {
				if item = strings.TrimSpace(item); item != "" {
					out.WriteString("<li>" + inline(item) + "</li>")
				}
			}
			out.WriteString("</ul>")
		} else if block != "" {
			out.WriteString("<p>" + inline(block) + "</p>")
		}
	}
	return template.HTML(out.String()) //nolint:gosec // escaped by inline, and our own document
}

var marks = []struct {
	pattern *regexp.Regexp
	html    string
}{
	{regexp.MustCompile("`([^`]+)`"), "<code>$1</code>"},
	{regexp.MustCompile(`\*\*([^*]+)\*\*`), "<strong>$1</strong>"},
	{regexp.MustCompile(`\*([^*\n]+)\*`), "<em>$1</em>"},
}

func inline(text string) string {
	text = template.HTMLEscapeString(text)
	for _, m := range marks {
		text = m.pattern.ReplaceAllString(text, m.html)
	}
	return text
}

func yamlText(n yaml.Node) string {
	if n.IsZero() {
		return ""
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return ""
	}
	return out.String()
}

// GetDocs serves the reference page.
func (s *Server) GetDocs(w http.ResponseWriter, _ *http.Request) { writePage(w, s.docs.reference) }

// GetProblem serves the page that a problem's type leads to.
func (s *Server) GetProblem(w http.ResponseWriter, r *http.Request, code string) {
	body, ok := s.docs.problems[code]
	if !ok {
		problem.Write(w, r, &holdfast.Error{Code: holdfast.CodeNotFound, Detail: "There is no such problem."})
		return
	}
	writePage(w, body)
}

// GetOpenapi serves the document itself.
func (s *Server) GetOpenapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	write(w, openapi.Bundle)
}

func writePage(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pageSecurity)
	write(w, body)
}

func write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
