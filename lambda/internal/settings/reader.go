package settings

import (
	"log/slog"
	"net/url"

	"github.com/ssu-itsupport/cognito-sso/internal/environ"
)

// Reader reads the variables of a function. It is for one goroutine.
type Reader struct{ *environ.Reader }

// NewReader reads an environment, which is of the form of os.Environ.
func NewReader(environment []string) *Reader { return &Reader{environ.NewReader(environment)} }

// QueueURL is the URL of a queue. Required.
func (r *Reader) QueueURL(name string) string {
	v := r.Required(name)
	if v == "" {
		return ""
	}
	if u, err := url.Parse(v); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		r.Failf(name, "is not the URL of a queue")
	}
	return v
}

// LogLevel is SSO_LOG_LEVEL: debug, info (which it defaults to), warn or error.
func (r *Reader) LogLevel() slog.Level {
	return map[string]slog.Level{"info": slog.LevelInfo, "debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}[r.OneOf("SSO_LOG_LEVEL", "info", "debug", "warn", "error")]
}
