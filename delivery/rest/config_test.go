package rest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast/delivery/rest"
)

// What can't work is found at the start, by its name and without a secret.
func TestConfigurationsThatCanNotBe(t *testing.T) {
	held, empty, two := file(t, secret+"\n"), file(t, "\n"), file(t, secret+"\n"+secret)
	_, cert, key := pair(t, "a")
	_, _, otherKey := pair(t, "b")
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		change func(c *rest.Config)
		want   string
	}{
		"no url":            {func(c *rest.Config) { c.URL = "" }, "url: must begin with http"},
		"no scheme":         {func(c *rest.Config) { c.URL = "wms.example/x" }, "url: must begin with http"},
		"another scheme":    {func(c *rest.Config) { c.URL = "file:///etc/passwd" }, "url: must begin with http"},
		"no host":           {func(c *rest.Config) { c.URL = "https:///x" }, "url: must begin with http"},
		"host of values":    {func(c *rest.Config) { c.URL = "https://{{.payload.host}}/x" }, "url: must begin with http"},
		"port of values":    {func(c *rest.Config) { c.URL = "https://wms.example:{{.payload.port}}/x" }, "url: must begin with http"},
		"values after host": {func(c *rest.Config) { c.URL = "https://wms.example{{.payload.x}}/x" }, "url: must begin with http"},
		"scheme of values":  {func(c *rest.Config) { c.URL = "{{.payload.scheme}}://wms.example/x" }, "url: must begin with http"},
		"credentials":       {func(c *rest.Config) { c.URL = "https://u:" + secret + "@wms.example/x" }, "url: must begin with http"},
		"bad host":          {func(c *rest.Config) { c.URL = "https://wms example/x" }, "url: the host can't be one"},
		"bad url template":  {func(c *rest.Config) { c.URL += "/{{.payload" }, "url:1: unclosed action"},
		"unknown member":    {func(c *rest.Config) { c.URL += "/{{.nr}}" }, "url: a transaction has no .nr"},
		"method":            {func(c *rest.Config) { c.Method = "GET" }, "method: must be POST, PUT or PATCH"},
		"own header":        {func(c *rest.Config) { c.Headers = map[string]string{"idempotency-KEY": "1"} }, "headers: idempotency-KEY is set by the gateway"},
		"own header file":   {func(c *rest.Config) { c.HeaderFiles = map[string]string{"Idempotency-Key": held} }, "headerFiles: Idempotency-Key is set by the gateway"},
		"secret header":     {func(c *rest.Config) { c.Headers = map[string]string{"Authorization": secret} }, "headers: Authorization is a secret"},
		"no header name":    {func(c *rest.Config) { c.Headers = map[string]string{"X:Y": "1"} }, `headers: "X:Y" can't be a name`},
		"no file name":      {func(c *rest.Config) { c.HeaderFiles = map[string]string{"X Y": held} }, `headerFiles: "X Y" can't be a name`},
		"lines in a header": {func(c *rest.Config) { c.Headers = map[string]string{"X-A": "a\r\nX-B: b"} }, "headers: X-A must be one line"},
		"header template":   {func(c *rest.Config) { c.Headers = map[string]string{"X-A": "{{.nr}}"} }, "headers.X-A: a transaction has no .nr"},
		"header file":       {func(c *rest.Config) { c.HeaderFiles = map[string]string{"X-A": missing} }, "headerFiles: X-A: auth: open " + missing},
		"content type":      {func(c *rest.Config) { c.ContentType = "text/plain\r\nX: y" }, "contentType: can't be one"},
		"body":              {func(c *rest.Config) { c.Body = "{{.nr}}" }, "body: a transaction has no .nr"},
		"reference":         {func(c *rest.Config) { c.Reference = "$.[" }, "reference: must be a JSON path"},
		"reference name":    {func(c *rest.Config) { c.Reference = "referenceNumber" }, "reference: must be a JSON path"},
		"reference type":    {func(c *rest.Config) { c.ReferenceType = "bool" }, "referenceType: must be string, number or any"},
		"status":            {func(c *rest.Config) { c.Passing = []int{42} }, "passing: 42 is no status"},
		"status twice":      {func(c *rest.Config) { c.Passing, c.AlreadyDone = []int{409}, []int{409} }, "alreadyDone: 409 is in passing already"},
		"answer":            {func(c *rest.Config) { c.MaxAnswer = -1 }, "maxAnswer: must be"},
		"two ways":          {func(c *rest.Config) { c.BearerFile, c.BasicUser, c.BasicFile = held, "u", held }, "auth: give one of"},
		"two authorities":   {func(c *rest.Config) { c.BearerFile, c.HeaderFiles = held, map[string]string{"authorization": held} }, "auth: Authorization is in headerFiles already"},
		"no bearer file":    {func(c *rest.Config) { c.BearerFile = missing }, "auth: open " + missing},
		"empty bearer file": {func(c *rest.Config) { c.BearerFile = empty }, "auth: " + empty + " must hold one line"},
		"two lines":         {func(c *rest.Config) { c.BearerFile = two }, "auth: " + two + " must hold one line"},
		"user alone":        {func(c *rest.Config) { c.BasicUser = "u" }, "auth: basic needs user and passwordFile"},
		"password alone":    {func(c *rest.Config) { c.BasicFile = held }, "auth: basic needs user and passwordFile"},
		"no password":       {func(c *rest.Config) { c.BasicUser, c.BasicFile = "u", missing }, "auth: open " + missing},
		"certificate alone": {func(c *rest.Config) { c.CertificateFile = cert }, "auth: certificateFile and keyFile belong together"},
		"another's key":     {func(c *rest.Config) { c.CertificateFile, c.KeyFile = cert, otherKey }, "auth: certificateFile and keyFile can't be read"},
		"no key":            {func(c *rest.Config) { c.CertificateFile, c.KeyFile = cert, held }, "auth: certificateFile and keyFile can't be read"},
		"key as CA":         {func(c *rest.Config) { c.CAFile = key }, "caFile: " + key + " holds no certificate"},
		"no CA":             {func(c *rest.Config) { c.CAFile = missing }, "caFile: open " + missing},
		"half of oauth2":    {func(c *rest.Config) { c.OAuth2 = &rest.OAuth2{TokenURL: "https://a/b"} }, "auth: oauth2 needs"},
		"token url":         {func(c *rest.Config) { c.OAuth2 = &rest.OAuth2{TokenURL: "idp/token", ClientID: "c", SecretFile: held} }, "auth: tokenUrl must begin"},
		"client secret": {func(c *rest.Config) {
			c.OAuth2 = &rest.OAuth2{TokenURL: "https://a/b", ClientID: "c", SecretFile: missing}
		}, "auth: open " + missing},
		"proxy":            {func(c *rest.Config) { c.Proxy = "proxy.example:3128" }, "proxy: must be"},
		"proxy's password": {func(c *rest.Config) { c.Proxy = "http://u:" + secret + "@proxy.example:3128" }, "proxy: must be"},
	} {
		config := rest.Config{URL: "https://wms.example/x"}
		c.change(&config)
		if _, err := rest.New(config); err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
