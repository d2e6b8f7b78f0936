package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// ConsumerConfig wires a [Consumer]. It is copied.
type ConsumerConfig struct {
	// Users is the user table. Required.
	Users users.Store
	// MaxBatch is how many sign-ins one statement of the store records.
	// Defaults to 1,000.
	MaxBatch int
	// Attempts is how often a batch is tried while the store is unavailable.
	// Defaults to 0: until the context ends.
	Attempts int
	// AttemptTimeout bounds one try. Defaults to 5 s.
	AttemptTimeout time.Duration
	// Backoff is the pause before the second try; it doubles up to
	// MaxBackoff. Default to 100 ms and 5 s.
	Backoff, MaxBackoff time.Duration
	// Logger gets a line for what could not be recorded, without personal
	// data. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Consumer writes queued sign-ins to the user table. It is safe for
// concurrent use, and recording a sign-in twice does no harm.
type Consumer struct{ cfg ConsumerConfig }

// NewConsumer checks cfg and returns a Consumer. Its error is [ErrConfig].
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	if cfg.Users == nil {
		return nil, fmt.Errorf("%w: Users: required", ErrConfig)
	}
	if cfg.MaxBatch < 0 || cfg.Attempts < 0 || cfg.AttemptTimeout < 0 || cfg.Backoff < 0 || cfg.MaxBackoff < 0 {
		return nil, fmt.Errorf("%w: MaxBatch, Attempts, AttemptTimeout, Backoff and MaxBackoff: at least 0", ErrConfig)
	}
	setDefault(&cfg.MaxBatch, 1000)
	setDefault(&cfg.AttemptTimeout, 5*time.Second)
	setDefault(&cfg.Backoff, 100*time.Millisecond)
	setDefault(&cfg.MaxBackoff, 5*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Consumer{cfg: cfg}, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// ConsumerReport counts what became of sign-ins.
type ConsumerReport struct {
	// Updated rows got a later last login.
	Updated int
	// Unknown subs have no row: users who were lost at sign-up, and not yet
	// healed. They are personal data; log their number only.
	Unknown []string
	// Invalid sign-ins were dropped: no sub, or a time that cannot be.
	Invalid int
	// Retries counts tries after the first.
	Retries int
}

// maxAhead is how far a sender's clock may be ahead of ours. A time further in
// the future would hide every later sign-in of that user.
const maxAhead = 5 * time.Minute

// Record writes sign-ins, in batches, each tried again while the store is
// unavailable. On an error some batches may be recorded; it is safe to record
// them all again. The report counts what was done until then.
func (c *Consumer) Record(ctx context.Context, signIns []SignIn) (ConsumerReport, error) {
	var report ConsumerReport
	batch := make([]users.SignIn, 0, len(signIns))
	limit := c.cfg.Now().Add(maxAhead)
	for _, s := range signIns {
		one := users.SignIn{Sub: s.Sub, At: s.At}
		if !one.Usable() || s.At.After(limit) {
			report.Invalid++
			continue
		}
		batch = append(batch, one)
	}
	err := c.recordAll(ctx, batch, &report)
	c.log(ctx, report, err)
	return report, err
}

func (c *Consumer) recordAll(ctx context.Context, batch []users.SignIn, report *ConsumerReport) error {
	for len(batch) > 0 {
		n := min(len(batch), c.cfg.MaxBatch)
		got, err := c.try(ctx, batch[:n], report)
		if err != nil {
			return err
		}
		report.Updated += got.Updated
		report.Unknown = append(report.Unknown, got.Unknown...)
		batch = batch[n:]
	}
	return nil
}

func (c *Consumer) try(ctx context.Context, batch []users.SignIn, report *ConsumerReport) (users.SignInReport, error) {
	pause := c.cfg.Backoff
	for attempt := 1; ; attempt++ {
		got, err := c.once(ctx, batch)
		if err == nil || !errors.Is(err, users.ErrUnavailable) || ctx.Err() != nil || attempt == c.cfg.Attempts {
			return got, err
		}
		if attempt == 1 {
			c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "sign-ins wait for the store", slog.Int("count", len(batch)),
				slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(pause):
		}
		report.Retries++
		pause = min(2*pause, c.cfg.MaxBackoff)
	}
}

func (c *Consumer) once(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AttemptTimeout)
	defer cancel()
	return c.cfg.Users.RecordSignIns(ctx, batch)
}

func (c *Consumer) log(ctx context.Context, r ConsumerReport, err error) {
	attrs := []slog.Attr{slog.Int("updated", r.Updated), slog.Int("unknown", len(r.Unknown)),
		slog.Int("invalid", r.Invalid), slog.Int("retries", r.Retries)}
	level := slog.LevelDebug
	if len(r.Unknown) > 0 || r.Invalid > 0 || r.Retries > 0 {
		level = slog.LevelWarn
	}
	if err != nil {
		level, attrs = slog.LevelError, append(attrs, slog.String("error", err.Error()))
	}
	c.cfg.Logger.LogAttrs(ctx, level, "sign-ins", attrs...)
}
