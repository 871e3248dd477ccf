package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/redact"
)

// newLogger writes to the error output, as text on a terminal and as JSON
// elsewhere unless the settings say. Every line is masked by scanner, twice: as the
// formatter made it, and again on its way out, for what writes to the logger's
// output without a formatter.
func newLogger(w io.Writer, level, format string, terminal bool, scanner *redact.Scanner) (*logrus.Logger, error) {
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	logger := logrus.New()
	logger.SetOutput(redact.NewWriter(w, scanner))
	logger.SetLevel(parsed)
	var inner logrus.Formatter = jsonFormatter{}
	if format == "text" || format == "auto" && terminal {
		inner = consoleFormatter{}
	}
	logger.SetFormatter(&redact.Formatter{Inner: inner, Scanner: scanner})
	logger.AddHook(contextHook{})
	return logger, nil
}

// newScanner is what masks: what is known by itself, and what the settings add.
func newScanner(s *settings.Settings) (*redact.Scanner, error) {
	if _, err := redact.New(redact.Config{Keys: s.RedactionKeys()}); err != nil {
		return nil, s.Wrong("redaction.keys", strings.TrimPrefix(err.Error(), "redact: "))
	}
	scanner, err := redact.New(redact.Config{Keys: s.RedactionKeys(), Patterns: strings.Fields(s.Redaction.Patterns)})
	if err != nil {
		return nil, s.Wrong("redaction.patterns", strings.TrimPrefix(err.Error(), "redact: "))
	}
	return scanner, nil
}

// consoleFormatter writes for people: time, level, message, then the fields.
type consoleFormatter struct{}

// Format makes one line, or several when a value has line breaks; the mask makes one of them.
func (consoleFormatter) Format(e *logrus.Entry) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %-5.5s %s", e.Time.Format(time.TimeOnly), strings.ToUpper(e.Level.String()), e.Message)
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		text := fmt.Sprintf("%+v", e.Data[name]) // with the names of members, which say what is secret
		if text == "" || strings.ContainsAny(text, " \"=") {
			text = strconv.Quote(text)
		}
		fmt.Fprintf(&b, " %s=%s", name, text)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// contextHook adds the request context to lines that were logged with one, so that
// whatever a request causes, in whatever goroutine, can be found by it.
type contextHook struct{}

// Levels are all.
func (contextHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire adds what the line does not say itself.
func (contextHook) Fire(e *logrus.Entry) error {
	if e.Context == nil {
		return nil
	}
	for name, value := range holdfast.RequestContextFrom(e.Context).Fields() {
		if _, said := e.Data[name]; !said {
			e.Data[name] = value
		}
	}
	return nil
}

// discard is a logger for commands that only print their result.
func (c *console) discard() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

// captureOthers sends what libraries log by themselves, through log or log/slog,
// to the program's own logger.
//
// Their level is capped, whatever the program's own is: at their most talkative,
// libraries dump what goes over the wire.
func captureOthers(logger *logrus.Logger, level string) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelWarn
	}
	slog.SetDefault(slog.New(capped{logrusslog.NewHandler(logger, nil), least}))
	slog.SetLogLoggerLevel(slog.LevelWarn) // lines of the standard library's log
}

// capped drops what is less important than least.
type capped struct {
	slog.Handler
	least slog.Level
}

// Enabled asks the handler only for levels from least on.
func (c capped) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= c.least && c.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the cap.
func (c capped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return capped{c.Handler.WithAttrs(attrs), c.least}
}

// WithGroup keeps the cap.
func (c capped) WithGroup(name string) slog.Handler {
	return capped{c.Handler.WithGroup(name), c.least}
}

// httpErrors is what net/http writes its complaints to. They are about single
// connections of clients, so nobody has to act on them.
func httpErrors(logger *logrus.Logger) *stdlog.Logger {
	return slog.NewLogLogger(quieter{logrusslog.NewHandler(logger, nil)}, slog.LevelDebug)
}

// quieter marks where the lines come from.
type quieter struct{ slog.Handler }

// Handle adds the source.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(slog.String("from", "net/http"))
	return q.Handler.Handle(ctx, r)
}
