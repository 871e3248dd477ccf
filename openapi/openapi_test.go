package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-sync/holdfast/openapi"
	"github.com/holdfast-sync/holdfast/openapi/openapitest"
)

func TestTheBundleIsMadeOfItsParts(t *testing.T) {
	made := filepath.Join(t.TempDir(), "bundle.yaml")
	if out, err := exec.Command("go", "run", "./bundle", made).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if string(openapi.Bundle) != string(want) {
		t.Fatal("the bundle is stale: make generate")
	}
}

func TestTheDocumentIsValid(t *testing.T) {
	if _, err := openapitest.Document(); err != nil {
		t.Fatal(err)
	}
}

// The checker must fail where an answer is not as the document says.
func TestTheCheckerCanFail(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/v1/limits", nil)
	good := http.Header{"Content-Type": {"application/json"}, "Holdfast-Protocol": {"1"}}
	body := `{"maxBytes":1,"maxTransactions":1,"attachments":{"maxBytes":1,"maxPutBytes":1,"types":[]}}`
	if err := openapitest.Answer(r, 200, good, []byte(body)); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"status":  openapitest.Answer(r, 418, good, []byte(body)),
		"body":    openapitest.Answer(r, 200, good, []byte(`{"maxBytes":"1"}`)),
		"missing": openapitest.Answer(r, 200, good, []byte(`{"maxBytes":1}`)),
		"header":  openapitest.Answer(r, 200, http.Header{"Content-Type": {"application/json"}}, []byte(body)),
		"media":   openapitest.Answer(r, 200, http.Header{"Content-Type": {"text/plain"}, "Holdfast-Protocol": {"1"}}, []byte(body)),
		"head":    openapitest.Answer(httptest.NewRequest(http.MethodHead, "/v1/limits", nil), 200, http.Header{"Content-Type": {"application/json"}}, nil),
		"404":     openapitest.Answer(httptest.NewRequest(http.MethodGet, "/v1/nothing", nil), 404, good, []byte("nothing")),
		"405":     openapitest.Answer(httptest.NewRequest(http.MethodPut, "/v1/limits", nil), 405, http.Header{"Content-Type": {"application/problem+json"}, "Holdfast-Protocol": {"1"}}, []byte(`{"status":405,"code":"x"}`)),
		"route":   openapitest.Answer(httptest.NewRequest(http.MethodGet, "/v1/nothing", nil), 200, good, nil),
	} {
		if err == nil {
			t.Errorf("a wrong %s was not noticed", name)
		}
	}
}
