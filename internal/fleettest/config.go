package fleettest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Config is one run.
type Config struct {
	// Seed decides who does what, and what breaks.
	Seed uint64
	// Browsers is how many there are. Defaults to 40.
	Browsers int
	// Rounds is how many steps of the clock there are; the faults take turns.
	// Defaults to one for each fault.
	Rounds int
	// DSN is what the open function of [Main] gets in each process.
	DSN string
	// Server is what is killed and paused below the store.
	Server Server
	// CallTime bounds a call of a process to the pool. Defaults to that of
	// package sso, 10 seconds.
	CallTime time.Duration
	// Lease is how long the lock of a refresh lasts, instead of what Login asks
	// for, so that short runs see leases end. It must be longer than a refresh.
	// Defaults to Login's own, 30 seconds.
	Lease time.Duration
	// Spread is how long browsers come after one another in a round, and a
	// person may look at a page. Defaults to 15 milliseconds for each browser.
	Spread time.Duration
	// Sabotage is a guard that the processes lack, "" for none.
	Sabotage Sabotage
	// Calm leaves out everything that breaks.
	Calm bool
}

// Server is the server of a session store, as package realtest runs them.
type Server interface {
	Kill()
	Start(t testing.TB)
	Pause()
	Resume()
}

// Sabotage is a store that is done wrong, to see that the judge can see.
type Sabotage string

// The ways.
const (
	// NoLock hides that the store can lock.
	NoLock Sabotage = "no lock"
	// NoReread makes the read after Lock one of before.
	NoReread Sabotage = "no read under the lock"
	// Upsert makes Update write what is not there any more.
	Upsert Sabotage = "upsert"
	// KeepDeleted makes Delete and DeleteBySubject do nothing.
	KeepDeleted Sabotage = "keep deleted"
)

// Short is a run of less than half a minute: with calls and leases that end
// soon, and fewer browsers where everything takes longer.
func Short(seed uint64) Config {
	cfg := Config{Seed: seed, Browsers: 40, CallTime: time.Second, Lease: 3 * time.Second, Spread: 300 * time.Millisecond}
	if UnderRace || testing.Short() {
		cfg.Browsers = 24
	}
	if UnderRace {
		cfg.CallTime, cfg.Lease = 1200*time.Millisecond, 3500*time.Millisecond
	}
	return cfg
}

const (
	idleLimit     = 20 * time.Minute
	absoluteLimit = 45 * time.Minute
	tokenLife     = 5 * time.Minute // the shortest of Cognito
)

func (cfg *Config) setDefaults() {
	if cfg.Browsers == 0 {
		cfg.Browsers = 40
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = len(troubles)
	}
	if cfg.CallTime == 0 {
		cfg.CallTime = 10 * time.Second
	}
	if cfg.Spread == 0 {
		cfg.Spread = time.Duration(cfg.Browsers) * 15 * time.Millisecond
	}
}

// often is how much more often a fate befalls a refresh where there are few.
func (cfg *Config) often() float64 { return max(1, 100/float64(cfg.Browsers)) }

// chance returns the random numbers of a thing that has a name: they depend on
// no other's.
func (cfg *Config) chance(what, round, n int) *rand.Rand {
	return rand.New(rand.NewPCG(cfg.Seed, uint64(what)<<56|uint64(round)<<32|uint64(n))) //nolint:gosec // a seed is the point
}

// What has random numbers.
const (
	ofRound = iota
	ofBrowser
	ofRefresh
	ofPool
)

// between returns a time between the two.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}
