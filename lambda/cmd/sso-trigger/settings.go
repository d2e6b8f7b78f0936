package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// settings is the environment, read.
type settings struct {
	triggers   lambda.Config // without what must be opened
	sqlite     sqlite.Config
	sqlitePath string
	queueURL   string
	logLevel   slog.Level
	unknown    []string // SSO_ variables that mean nothing here: typos, or another function's
}

// reader takes variables out of the environment and notes what is wrong.
type reader struct {
	env  map[string]string
	used map[string]bool
	errs []error
}

func parseSettings(environ []string) (settings, error) {
	r := &reader{env: map[string]string{}, used: map[string]bool{}}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		r.env[name] = value
	}
	var s settings
	s.triggers = lambda.Config{
		Providers:          r.list("SSO_PROVIDERS"),
		UserIDAttribute:    r.text("SSO_USER_ID_ATTRIBUTE"),
		AllowNativeSignUp:  r.flag("SSO_ALLOW_NATIVE_SIGN_UP"),
		AllowMissingUserID: r.flag("SSO_ALLOW_MISSING_USER_ID"),
		SendTimeout:        r.duration("SSO_SEND_TIMEOUT"),
		Deadline:           r.duration("SSO_DEADLINE"),
	}
	s.sqlitePath = r.required("SSO_SQLITE_PATH")
	s.sqlite = sqlite.Config{
		Providers: r.pairs("SSO_PROVIDER_COLUMNS"),
		Journal:   sqlite.Journal(strings.ToUpper(r.text("SSO_SQLITE_JOURNAL"))),
	}
	s.queueURL = r.url("SSO_SIGNIN_QUEUE_URL")
	s.logLevel = r.level("SSO_LOG_LEVEL")
	r.fail(s.sqlite.Validate())
	r.fail(checkTriggers(s.triggers))
	for name := range r.env {
		if strings.HasPrefix(name, "SSO_") && !r.used[name] {
			s.unknown = append(s.unknown, name)
		}
	}
	slices.Sort(s.unknown)
	return s, errors.Join(r.errs...)
}

// checkTriggers finds the rest of what is wrong before anything is opened: it
// stands in for what main opens, and for a list that is missing already.
func checkTriggers(cfg lambda.Config) error {
	cfg.Users, cfg.Attributes, cfg.SignIns = &sqlite.Store{}, lambda.NewCognitoAttributes(nil), lambda.NewSQSSignIns(nil, "")
	if cfg.Providers == nil {
		cfg.Providers = []string{"any"}
	}
	_, err := lambda.NewTriggers(cfg)
	return err
}

func (r *reader) fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *reader) text(name string) string {
	r.used[name] = true
	return strings.TrimSpace(r.env[name])
}

func (r *reader) required(name string) string {
	v := r.text(name)
	if v == "" {
		r.fail(fmt.Errorf("%s: required", name))
	}
	return v
}

func (r *reader) list(name string) []string {
	v := r.required(name)
	if v == "" {
		return nil
	}
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func (r *reader) pairs(name string) map[string]string {
	v := r.text(name)
	if v == "" {
		return nil
	}
	pairs := map[string]string{}
	for _, item := range strings.Split(v, ",") {
		key, value, ok := strings.Cut(item, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if _, twice := pairs[key]; !ok || key == "" || value == "" || twice {
			r.fail(fmt.Errorf("%s: %q is not provider=column, or the provider is there twice", name, item))
			continue
		}
		pairs[key] = value
	}
	return pairs
}

func (r *reader) flag(name string) bool {
	switch v := r.text(name); v {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.fail(fmt.Errorf("%s: %q is neither true nor false", name, v))
		return false
	}
}

func (r *reader) duration(name string) time.Duration {
	v := r.text(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.fail(fmt.Errorf("%s: %q is not a duration such as 500ms", name, v))
		return 0
	}
	return d
}

func (r *reader) url(name string) string {
	v := r.required(name)
	if v == "" {
		return ""
	}
	if u, err := url.Parse(v); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		r.fail(fmt.Errorf("%s: %q is not the URL of a queue", name, v))
	}
	return v
}

func (r *reader) level(name string) slog.Level {
	v := r.text(name)
	if v == "" {
		return slog.LevelInfo
	}
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[strings.ToLower(v)]
	if !ok {
		r.fail(fmt.Errorf("%s: %q is none of debug, info, warn and error", name, v))
	}
	return level
}
