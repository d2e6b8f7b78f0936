package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Config says what to compare. It is copied.
type Config struct {
	// Pool is the user pool. Required.
	Pool Pool
	// Users is the user table. Required.
	Users users.Store
	// Providers are the identity providers whose users may have a row, by
	// their exact names in the pool, as in lambda.Config. Required.
	Providers []string
	// Columns are those of Providers whose ids have a column in the table.
	// Defaults to none: then RowWithoutProviderID is not looked for.
	Columns []string
	// UserIDAttribute is the pool's attribute for the row id. Defaults to
	// "custom:userId".
	UserIDAttribute string

	// Apply repairs. Defaults to false: nothing is changed.
	Apply bool
	// SkipYounger leaves out users who signed up less than this ago: their
	// triggers may be at work. Defaults to 10 minutes; a negative one leaves
	// out nobody.
	SkipYounger time.Duration
	// SkipGone leaves SubGone out, which takes a call for each such row: for
	// a table that serves several pools. Defaults to false.
	SkipGone bool

	// ReadRate is how many times a second users are listed, WriteRate how many
	// users are repaired. Cognito's quotas are 30 and 25, and live traffic
	// needs them too. Default to 10 and 5.
	ReadRate, WriteRate float64
	// Attempts is how often one call is tried if it is throttled or not
	// answered, waiting from a quarter of a second up to 20 s in between.
	// Defaults to 8.
	Attempts int

	// Resume goes on where an earlier run with the same configuration ended.
	// Defaults to nil, the beginning.
	Resume *Checkpoint
	// OnCheckpoint gets the place to go on from, every SaveEvery and when the
	// run ends early. Its error ends the run. Defaults to nothing.
	OnCheckpoint func(Checkpoint) error
	// SaveEvery defaults to 30 s.
	SaveEvery time.Duration

	// OnFinding gets every finding, after its repair if there is one. It must
	// not call the run's Users or Pool for long: the run waits. A run that is
	// resumed, or whose list began anew, may find what is not repaired again.
	// Defaults to nothing.
	OnFinding func(Finding)
	// OnProgress is told how far the run is, at most once a page. Defaults to
	// nothing.
	OnProgress func(Progress)
	// Now is the clock that SkipYounger and SaveEvery go by. Defaults to
	// time.Now.
	Now func() time.Time
}

// Phase is a part of a run.
type Phase string

const (
	// PhaseTable reads the table.
	PhaseTable Phase = "table"
	// PhasePool lists the pool.
	PhasePool Phase = "pool"
	// PhaseGone asks for the subs that were not in the list.
	PhaseGone Phase = "gone"
)

// Progress is how far a phase is.
type Progress struct {
	Phase Phase
	// Done of Total rows or users; Total is 0 if nobody knows, and an estimate
	// in PhasePool.
	Done, Total int
}

func (c Config) withDefaults() Config {
	c.Providers, c.Columns = slices.Clone(c.Providers), slices.Clone(c.Columns)
	if c.UserIDAttribute == "" {
		c.UserIDAttribute = "custom:userId"
	}
	if c.SkipYounger == 0 {
		c.SkipYounger = 10 * time.Minute
	}
	if c.ReadRate == 0 {
		c.ReadRate = 10
	}
	if c.WriteRate == 0 {
		c.WriteRate = 5
	}
	if c.Attempts == 0 {
		c.Attempts = 8
	}
	if c.SaveEvery == 0 {
		c.SaveEvery = 30 * time.Second
	}
	if c.OnCheckpoint == nil {
		c.OnCheckpoint = func(Checkpoint) error { return nil }
	}
	if c.OnFinding == nil {
		c.OnFinding = func(Finding) {}
	}
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	bad(c.Pool == nil, "Pool: required")
	bad(c.Users == nil, "Users: required")
	bad(len(c.Providers) == 0, "Providers: at least one is required")
	bad(slices.Contains(c.Providers, ""), "Providers: a name is empty")
	for _, name := range c.Columns {
		bad(!slices.Contains(c.Providers, name), "Columns: %q is none of Providers", name)
	}
	bad(!(c.ReadRate > 0), "ReadRate: %v is not above 0", c.ReadRate)
	bad(!(c.WriteRate > 0), "WriteRate: %v is not above 0", c.WriteRate)
	bad(c.Attempts < 1, "Attempts: %d is below 1", c.Attempts)
	bad(c.SaveEvery < 0, "SaveEvery: %v is negative", c.SaveEvery)
	return errors.Join(errs...)
}
