package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/internal/fleettest"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/redisstore"
)

// openForFleet is the store of one app process.
func openForFleet(addr string) (middleware.SessionStore, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	return redisstore.New(redisstore.Config{Client: client})
}

// onRedis adds a Redis of its own to a run.
func onRedis(t *testing.T, cfg fleettest.Config) fleettest.Config {
	t.Helper()
	server := realtest.NewRedis(t)
	cfg.Server, cfg.DSN = server, server.Addr()
	return cfg
}

// TestFleet: two processes behind one Redis, with everything broken.
func TestFleet(t *testing.T) {
	t.Parallel()
	fleettest.Peace(t, onRedis)
}

// TestFleetCanSee: a guard that is taken away must show, in the right counter.
func TestFleetCanSee(t *testing.T) {
	t.Parallel()
	if fleettest.UnderRace {
		t.Skip("eight processes more, and nothing that TestFleet does not run")
	}
	addr := realtest.Redis(t)
	fleettest.CanSee(t, func(_ *testing.T, cfg fleettest.Config) fleettest.Config {
		cfg.DSN = addr
		return cfg
	})
}

// TestFleetCommand is make fleet.
func TestFleetCommand(t *testing.T) { //nolint:paralleltest // it is alone
	fleettest.Command(t, func(cfg fleettest.Config) fleettest.Config { return onRedis(t, cfg) })
}
