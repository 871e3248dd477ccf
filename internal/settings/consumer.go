package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Consumer is a system that accepted transactions are delivered to. Its names are those of the configuration file; files
// are below the folder of that file unless their paths are absolute.
type Consumer struct {
	Name        string        `yaml:"name"`
	Kind        string        `yaml:"kind"`
	Types       []string      `yaml:"types"`
	Stores      []string      `yaml:"stores"`
	After       []string      `yaml:"after"`
	Order       string        `yaml:"order"`
	Concurrency int           `yaml:"concurrency"`
	Timeout     time.Duration `yaml:"timeout"`
	Files       bool          `yaml:"files"`
	Retry       struct {
		First    time.Duration `yaml:"first"`
		Most     time.Duration `yaml:"most"`
		Attempts int64         `yaml:"attempts"`
		For      time.Duration `yaml:"for"`
	} `yaml:"retry"`
	GiveUp  string `yaml:"giveUp"`
	Breaker struct {
		Failures int           `yaml:"failures"`
		Rest     time.Duration `yaml:"rest"`
	} `yaml:"breaker"`
	REST *RESTConsumer `yaml:"rest"`
	SFTP *SFTPConsumer `yaml:"sftp"`
}

// RESTConsumer is called over HTTP.
type RESTConsumer struct {
	URL           string            `yaml:"url"`
	Method        string            `yaml:"method"`
	Headers       map[string]string `yaml:"headers"`
	HeaderFiles   map[string]string `yaml:"headerFiles"`
	Body          string            `yaml:"body"`
	ContentType   string            `yaml:"contentType"`
	Reference     string            `yaml:"referenceNumber"`
	ReferenceType string            `yaml:"referenceType"`
	Permanent     []int             `yaml:"permanent"`
	Passing       []int             `yaml:"passing"`
	AlreadyDone   []int             `yaml:"alreadyDone"`
	CAFile        string            `yaml:"caFile"`
	Proxy         string            `yaml:"proxy"`
	Auth          struct {
		BearerFile      string  `yaml:"bearerFile"`
		User            string  `yaml:"user"`
		PasswordFile    string  `yaml:"passwordFile"`
		CertificateFile string  `yaml:"certificateFile"`
		KeyFile         string  `yaml:"keyFile"`
		OAuth2          *OAuth2 `yaml:"oauth2"`
	} `yaml:"auth"`
}

// OAuth2 are client credentials.
type OAuth2 struct {
	TokenURL         string   `yaml:"tokenUrl"`
	ClientID         string   `yaml:"clientId"`
	ClientSecretFile string   `yaml:"clientSecretFile"`
	Scopes           []string `yaml:"scopes"`
}

// SFTPConsumer gets files.
type SFTPConsumer struct {
	Address        string   `yaml:"address"`
	User           string   `yaml:"user"`
	Directory      string   `yaml:"directory"`
	File           string   `yaml:"file"`
	Body           string   `yaml:"body"`
	Format         string   `yaml:"format"`
	KnownHostsFile string   `yaml:"knownHostsFile"`
	Fingerprints   []string `yaml:"fingerprints"`
	KeyFile        string   `yaml:"keyFile"`
	PassphraseFile string   `yaml:"passphraseFile"`
	PasswordFile   string   `yaml:"passwordFile"`
	SHA256         bool     `yaml:"sha256"`
	Done           bool     `yaml:"done"`
	Attachments    string   `yaml:"attachments"`
}

// Prefetch says what apps should hold before they go offline.
type Prefetch struct {
	Directory string             `koanf:"directory" doc:"A folder whose files are resources, named by their paths in it. Empty: none."`
	Refresh   time.Duration      `koanf:"refresh" default:"5m" min:"1s" max:"168h" doc:"How often resources are looked for anew."`
	MaxBytes  Size               `koanf:"maxBytes" default:"64MiB" min:"1KiB" max:"4GiB" doc:"The largest resource."`
	Resources []PrefetchResource `koanf:"resources" doc:"More resources: a list of name, file or url, required, version, contentType and refresh. Only in the file."`
}

// PrefetchResource is one thing that apps should hold.
type PrefetchResource struct {
	Name        string        `yaml:"name"`
	File        string        `yaml:"file"`
	URL         string        `yaml:"url"`
	Required    bool          `yaml:"required"`
	Version     string        `yaml:"version"`
	ContentType string        `yaml:"contentType"`
	Refresh     time.Duration `yaml:"refresh"`
}

// listOf reads a list of sections. Every name must be known.
func listOf[T any](f *file, key string, n *yaml.Node) ([]T, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, f.at(n).wrong(key, "must be a list")
	}
	all := make([]T, 0, len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", key, i)
		if item.Kind != yaml.MappingNode {
			return nil, f.at(item).wrong(at, "must be names with values")
		}
		if err := f.known(at, item, reflect.TypeFor[T]()); err != nil {
			return nil, err
		}
		var one T
		if err := item.Decode(&one); err != nil {
			return nil, f.at(item).wrong(at, "%s", strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n")), "yaml: "))
		}
		all = append(all, one)
	}
	return all, nil
}

// known wants every name of a section to be one of a struct's, and each once.
func (f *file) known(key string, n *yaml.Node, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || n.Kind != yaml.MappingNode {
		return nil
	}
	var names, seen []string
	types := map[string]reflect.Type{}
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		names, types[name] = append(names, name), t.Field(i).Type
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		switch {
		case types[name.Value] == nil:
			return f.at(name).wrong(key+"."+name.Value, "is no setting%s", suggest(name.Value, names))
		case slices.Contains(seen, name.Value):
			return f.at(name).wrong(key+"."+name.Value, "is given twice; remove one")
		case isNull(value):
			return f.at(value).wrong(key+"."+name.Value, "has no value; remove the line or give one")
		}
		seen = append(seen, name.Value)
		if err := f.known(key+"."+name.Value, value, types[name.Value]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkConsumers() error {
	for i, c := range s.Consumers {
		key := fmt.Sprintf("consumers[%d]", i)
		wrong := func(format string, args ...any) error {
			from := s.origins["consumers"]
			return from.wrong(key, format, args...)
		}
		switch {
		case c.Kind != "rest" && c.Kind != "sftp":
			return wrong("kind must be rest or sftp, not %q", c.Kind)
		case c.Kind == "rest" && (c.REST == nil || c.SFTP != nil):
			return wrong("a consumer of kind rest has a section rest, and no section sftp")
		case c.Kind == "sftp" && (c.SFTP == nil || c.REST != nil):
			return wrong("a consumer of kind sftp has a section sftp, and no section rest")
		case c.GiveUp != "" && c.GiveUp != "hold" && c.GiveUp != "fail":
			return wrong("giveUp must be hold or fail, not %q", c.GiveUp)
		case c.SFTP != nil && c.SFTP.Format != "" && c.SFTP.Format != "json" && c.SFTP.Format != "text":
			return wrong("sftp.format must be json or text, not %q", c.SFTP.Format)
		}
	}
	for i, r := range s.Prefetch.Resources {
		if r.Name == "" || (r.File == "") == (r.URL == "") {
			return s.origins["prefetch.resources"].wrong(fmt.Sprintf("prefetch.resources[%d]", i), "must have a name, and a file or a url")
		}
	}
	return nil
}

// ReloadConsumers reads the consumers of the configuration file anew. Everything else of it is checked and not used.
func ReloadConsumers(src Sources) ([]Consumer, error) {
	s, err := Load(src)
	if err != nil {
		return nil, err
	}
	return s.Consumers, nil
}
