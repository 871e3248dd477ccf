package main

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"time"

	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"
)

// newLogger writes to the error output, as text on a terminal and as JSON
// elsewhere unless the settings say.
func newLogger(w io.Writer, level, format string, terminal bool) (*logrus.Logger, error) {
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	logger := logrus.New()
	logger.SetOutput(w)
	logger.SetLevel(parsed)
	if format == "text" || format == "auto" && terminal {
		logger.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: time.TimeOnly})
	} else {
		logger.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true})
	}
	return logger, nil
}

// discard is a logger for commands that only print their result.
func (c *console) discard() *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return logger
}

// captureOthers sends what libraries log by themselves, through log or log/slog,
// to the program's own logger.
func captureOthers(logger *logrus.Logger) {
	slog.SetDefault(slog.New(logrusslog.NewHandler(logger, nil)))
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
