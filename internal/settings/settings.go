package settings

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Settings are the effective ones. Each tag "koanf" is a name in the file; the
// tags "default", "doc", "env" and "secret" say the rest.
type Settings struct {
	Listen          string      `koanf:"listen" default:"127.0.0.1:8080" doc:"The address to listen on, as host:port. Port 0 takes a free one."`
	DataDir         string      `koanf:"dataDir" default:"./holdfast-data" doc:"The folder of the embedded database."`
	DatabaseURL     string      `koanf:"databaseUrl" secret:"true" doc:"A PostgreSQL URL, postgres://user:password@host:port/database; several hosts are allowed. Empty: the embedded database in dataDir."`
	DurableStandbys string      `koanf:"durableStandbys" doc:"Not supported by this version: must be empty, accepted is durable."`
	RedisURL        string      `koanf:"redisUrl" secret:"true" doc:"A Redis URL, redis://user:password@host:port/number, or rediss:// for TLS. It makes answers faster and rate limits common to all nodes; nothing is lost with it. Empty: in memory."`
	ObjectStores    string      `koanf:"objectStores" secret:"true" doc:"Where objects are kept, a site each, the ring's own first: east=s3://key:secret@host:port/bucket?tls=0,west=file:///folder. Empty: one site called local, in dataDir."`
	Ring            string      `koanf:"ring" default:"local" doc:"The name of the ring of nodes that this one belongs to, as health tells it."`
	Site            string      `koanf:"site" doc:"Which of objectStores is the ring's own, where files are put first. Empty: the first one."`
	TrustedProxies  string      `koanf:"trustedProxies" doc:"The proxies in front, as networks, for example 10.0.0.0/8,192.168.1.7/32: X-Forwarded-For is believed from these, for the log. Empty: from nobody."`
	Auth            Auth        `koanf:"auth"`
	Limits          Limits      `koanf:"limits"`
	Attachments     Attachments `koanf:"attachments"`
	Schemas         Schemas     `koanf:"schemas"`
	Log             Log         `koanf:"log"`
	Redaction       Redaction   `koanf:"redaction"`
	Audit           Audit       `koanf:"audit"`
	Metrics         Metrics     `koanf:"metrics"`
	Tracing         Tracing     `koanf:"tracing"`
	Deliveries      Deliveries  `koanf:"deliveries"`
	Changes         Changes     `koanf:"changes"`
	Prefetch        Prefetch    `koanf:"prefetch"`
	Consumers       []Consumer  `koanf:"consumers" doc:"The systems that accepted transactions are delivered to: see docs/operate/consumers.md. Only in the file; read anew on SIGHUP."`

	// File is the configuration file that was read; empty when there was none.
	File string `koanf:"-"`

	origins map[string]origin
}

// Auth says who may call.
type Auth struct {
	Mode string `koanf:"mode" env:"HOLDFAST_AUTH" default:"open" enum:"open,token,oidc" doc:"Who may call: open (anybody; only on a loopback address), token (made by holdfast token create), oidc (an identity provider's tokens). In the file also auth: token."`
	OIDC OIDC   `koanf:"oidc"`
}

// OIDC describes the identity provider of mode oidc.
type OIDC struct {
	Issuer   string `koanf:"issuer" doc:"The identity provider's issuer URL, https://…; http:// only on a loopback address."`
	Audience string `koanf:"audience" doc:"What a token's audience must contain."`
	// ScopePrefix stands before the scopes' names: a provider's plain "admin" may mean something else.
	ScopePrefix string `koanf:"scopePrefix" default:"holdfast:" doc:"What stands before a scope's name in the claim; - for nothing."`
	Claims      Claims `koanf:"claims"`
}

// Claims are the names of a token's members.
type Claims struct {
	Scope  string `koanf:"scope" default:"scope" doc:"The claim that holds the scope: device, operator, auditor or admin."`
	Device string `koanf:"device" default:"device_id" doc:"The claim that names the device."`
	Store  string `koanf:"store" default:"store_id" doc:"The claim that names the store."`
	User   string `koanf:"user" default:"user_id" doc:"The claim that names the user. Not sub: a device's token would then send for nobody else."`
}

// Limits bound what the gateway takes on.
type Limits struct {
	MaxBytes          Size          `koanf:"maxBytes" default:"4MiB" min:"1KiB" max:"256MiB" doc:"The largest body of a request, after decoding."`
	MaxTransactions   int64         `koanf:"maxTransactions" default:"1000" min:"1" max:"100000" doc:"The most transactions in a batch."`
	RequestsPerMinute Rate          `koanf:"requestsPerMinute" default:"auto" doc:"The most requests of one device in a minute; off: no limit; auto: off when auth is open, else 6000."`
	InFlightBytes     Size          `koanf:"inFlightBytes" default:"256MiB" min:"1KiB" max:"64GiB" doc:"The most bytes of bodies held in memory at once, at least four times limits.maxBytes; beyond it requests are answered overloaded."`
	Connections       int64         `koanf:"connections" default:"10000" min:"1" max:"1000000" doc:"The most connections at once."`
	Requests          int64         `koanf:"requests" default:"4096" min:"1" max:"1000000" doc:"The most requests at once; beyond it they are answered overloaded."`
	DrainGrace        time.Duration `koanf:"drainGrace" default:"2s" min:"0s" max:"5m" doc:"How long a node that was told to stop still answers, with draining, so that load balancers can turn away from it."`
	DrainTimeout      time.Duration `koanf:"drainTimeout" default:"30s" min:"100ms" max:"1h" doc:"How long requests that run may take to end after that."`
}

// Attachments bound the files that devices upload, and say how they are kept.
type Attachments struct {
	MaxBytes    Size          `koanf:"maxBytes" default:"1GiB" min:"1KiB" max:"40GiB" doc:"The largest file that a resumable upload takes."`
	MaxPutBytes Size          `koanf:"maxPutBytes" default:"64MiB" min:"1KiB" max:"4GiB" doc:"The largest file that one request takes, at most attachments.maxBytes."`
	PerDevice   int64         `koanf:"perDevice" default:"100" min:"1" max:"100000" doc:"The most unfinished uploads of one device; those that name no device count together."`
	Types       string        `koanf:"types" doc:"The media types that are taken, separated by commas: image/*,application/pdf. Empty: all."`
	Expiry      time.Duration `koanf:"expiry" default:"24h" min:"1s" max:"720h" doc:"An upload that nobody goes on with ends after so long; one that somebody goes on with lives at most seven times as long."`
	Copies      int64         `koanf:"copies" default:"1" min:"1" max:"16" doc:"In how many sites each file is kept. From 2 on further copies are made in the background, and a transaction is durable only when its files are held in so many."`
	SpoolDir    string        `koanf:"spoolDir" doc:"The folder in which octets of requests wait until a site has them; nothing in it is needed after a restart. Empty: spool in dataDir."`
	SpoolBytes  Size          `koanf:"spoolBytes" default:"4GiB" min:"16MiB" max:"1024GiB" doc:"The most bytes in the spool at once, at least attachments.maxPutBytes; beyond it requests are answered overloaded."`
	Patience    time.Duration `koanf:"patience" default:"10s" min:"100ms" max:"5m" doc:"A site that makes no progress for so long counts as down, and the next one is taken."`
}

// FileTypes are the media types in Types.
func (a Attachments) FileTypes() []string {
	return strings.FieldsFunc(a.Types, func(r rune) bool { return r == ',' || r == ' ' })
}

// Schemas say which payloads are acceptable.
type Schemas struct {
	Unregistered string       `koanf:"unregistered" default:"accept" enum:"accept,quarantine" doc:"What becomes of a transaction whose type or version has no schema: accept or quarantine."`
	Types        []SchemaType `koanf:"types" doc:"The schemas: a list of type, version (absent: for transactions that name none) and file (below the folder of the configuration file). Only in the file."`
}

// SchemaType registers a file for one version of a type.
type SchemaType struct {
	Type    string `koanf:"type"`
	Version int64  `koanf:"version"`
	File    string `koanf:"file"`
}

// Log says what is logged, and how.
type Log struct {
	Level     string `koanf:"level" default:"info" enum:"debug,info,warn,error" doc:"The least important level that is logged: debug, info, warn or error."`
	Format    string `koanf:"format" default:"auto" enum:"auto,json,text" doc:"json, text, or auto: text on a terminal, else json."`
	Libraries string `koanf:"libraries" default:"warn" enum:"debug,info,warn,error" doc:"The least important level that libraries may log at, whatever log.level is: at their most talkative they dump what goes over the wire."`
}

// Deliveries say how nodes share the work.
type Deliveries struct {
	Lease time.Duration `koanf:"lease" default:"30s" min:"100ms" max:"1h" doc:"How long a delivery that a node has begun belongs to it when the node does not speak any more; then another one takes it over."`
}

// Changes bound the devices that wait for news.
type Changes struct {
	MaxWaiting int64 `koanf:"maxWaiting" default:"10000" min:"1" max:"1000000" doc:"The most devices that wait for changes at this node; beyond it they are answered overloaded."`
}

// Redaction adds to what is masked in logs, audit details and by holdfast redact.
type Redaction struct {
	Keys     string `koanf:"keys" doc:"More names whose values are masked, in any spelling, separated by commas: loyaltyPin,badge_code."`
	Patterns string `koanf:"patterns" doc:"More forms of secrets, separated by blanks: literal text, # for a digit, @ for a letter, * for either, + behind one of these to repeat it. Each begins with two literal characters: HF-####-@@ tok_*+."`
}

// Audit says how the audit log is kept and read.
type Audit struct {
	TimeZone    string        `koanf:"timeZone" default:"UTC" doc:"The time zone of stores that audit.timeZones does not name, for the daily report: a name of the IANA database."`
	TimeZones   string        `koanf:"timeZones" doc:"Stores in other time zones: 0042=Europe/Berlin,0043=America/Chicago."`
	Retention   time.Duration `koanf:"retention" default:"0s" min:"0s" max:"876000h" doc:"How long events are kept, at least 48h; 0s: for ever. PostgreSQL lets go of whole months by detaching their tables, the embedded database deletes."`
	SealingKey  string        `koanf:"sealingKey" secret:"true" doc:"The private key (Ed25519, PKCS 8, base64 on one line) that seals closed hours; holdfast audit key makes one. It must not be kept in the database that it protects. Empty: with the embedded database one is made in dataDir, with PostgreSQL nothing is sealed."`
	TrustedKeys string        `koanf:"trustedKeys" doc:"Public keys of earlier sealing keys (base64, as holdfast audit key prints them), separated by commas, for holdfast audit verify."`
}

// Metrics say who gets what is counted, beside GET /metrics.
type Metrics struct {
	Listen   string   `koanf:"listen" doc:"A second address that serves GET /metrics and nothing else, as host:port. Without metrics.token only a loopback address. Empty: none; GET /metrics on the main address asks for the scope operator or auditor."`
	Token    string   `koanf:"token" secret:"true" doc:"What a scrape of metrics.listen has to send as Authorization: Bearer, at least 16 characters. Empty: nothing."`
	Graphite Graphite `koanf:"graphite"`
}

// Graphite says where metrics are pushed to.
type Graphite struct {
	Address  string        `koanf:"address" doc:"A Graphite to push the metrics to in its plaintext protocol, as host:port. Empty: none."`
	Interval time.Duration `koanf:"interval" default:"15s" min:"1s" max:"1h" doc:"The time between two pushes; a push may take as long."`
	Prefix   string        `koanf:"prefix" doc:"What the names begin with in Graphite, for example shops.east.node1."`
}

// Tracing says where traces go.
type Tracing struct {
	Endpoint    string `koanf:"endpoint" doc:"The URL that traces are sent to over OTLP/HTTP, for example http://127.0.0.1:4318; /v1/traces is added when it has no path. Empty: no traces."`
	SampleRatio string `koanf:"sampleRatio" default:"1" doc:"The part of the requests that is traced, from 0 to 1, unless the caller's traceparent has decided already."`
}

// Ratio is SampleRatio as a number.
func (t Tracing) Ratio() float64 {
	ratio, _ := strconv.ParseFloat(t.SampleRatio, 64) // checked
	return ratio
}

// Dir is the folder of the configuration file: the working directory without one.
func (s *Settings) Dir() string {
	if s.File == "" {
		return "."
	}
	return filepath.Dir(s.File)
}

// Embedded says that the database is the file in the data directory.
func (s *Settings) Embedded() bool { return s.DatabaseURL == "" }

// defaultRequestsPerMinute is the limit of a device where callers are known.
const defaultRequestsPerMinute = 6000

// RedactionKeys are the names in Redaction.Keys.
func (s *Settings) RedactionKeys() []string {
	return strings.FieldsFunc(s.Redaction.Keys, func(r rune) bool { return r == ',' || r == ' ' })
}

// Proxies are the networks in TrustedProxies.
func (s *Settings) Proxies() []string {
	return strings.FieldsFunc(s.TrustedProxies, func(r rune) bool { return r == ',' || r == ' ' })
}

// RequestsPerMinute is the limit of one device; 0 is none.
func (s *Settings) RequestsPerMinute() int64 {
	switch {
	case s.Limits.RequestsPerMinute != rateAuto:
		return int64(s.Limits.RequestsPerMinute)
	case s.Auth.Mode == "open":
		return 0
	}
	return defaultRequestsPerMinute
}
