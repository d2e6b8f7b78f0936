package redisstore

import (
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	defaultPrefix      = "sso:"
	defaultTimeout     = 5 * time.Second
	defaultWaitTimeout = time.Second
	maxPrefix          = 64
)

// Config says where sessions are kept. It is copied.
type Config struct {
	// Client is that of one server, of a Sentinel group or of a Cluster.
	// Required. The store never closes it. It must read from primaries alone:
	// no ReadOnly, RouteByLatency or RouteRandomly.
	Client redis.UniversalClient
	// Prefix begins the name of every key: 1 to 64 printable ASCII characters
	// without braces and spaces. Defaults to "sso:".
	Prefix string
	// Timeout bounds each call, beside the caller's context. Defaults to 5
	// seconds; negative for the context alone. A command that was sent already
	// is given up in time only by a client with ContextTimeoutEnabled.
	Timeout time.Duration
	// WaitReplicas makes every write of a session, signing out among them,
	// wait until so many replicas have it too, for WaitTimeout (1 second by
	// default; keep it under the client's ReadTimeout), and fail with
	// [ErrNotReplicated] otherwise. That narrows what a failover loses, and
	// does not close it: see the package's comment. Defaults to 0; must be 0
	// with a Cluster client, which cannot tell whom to wait for.
	WaitReplicas int
	WaitTimeout  time.Duration
}

func (cfg *Config) setDefaults() {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.WaitTimeout == 0 {
		cfg.WaitTimeout = defaultWaitTimeout
	}
}

func (cfg *Config) check() error {
	var problems []error
	wrong := func(field, problem string) {
		problems = append(problems, &sso.ConfigError{Field: "redisstore.Config." + field, Problem: problem})
	}
	if cfg.Client == nil {
		wrong("Client", "is required")
	}
	// A brace would decide which node of a Cluster has the key.
	if len(cfg.Prefix) > maxPrefix || strings.ContainsFunc(cfg.Prefix, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }) {
		wrong("Prefix", "must be 1 to 64 printable ASCII characters without braces and spaces")
	}
	if cfg.WaitReplicas < 0 {
		wrong("WaitReplicas", "must not be negative")
	}
	if cfg.WaitTimeout < time.Millisecond {
		wrong("WaitTimeout", "must be at least 1 millisecond")
	}
	if _, one := cfg.Client.(*redis.Client); cfg.WaitReplicas > 0 && !one {
		wrong("WaitReplicas", "works with a *redis.Client alone, of one server or of Sentinel")
	}
	return errors.Join(problems...)
}

// New returns a store. It does not ask the server anything. Its error joins one
// [*sso.ConfigError] for each field that is wrong.
func New(cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Store{cfg: cfg}, nil
}
