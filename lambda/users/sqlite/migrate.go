package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
)

// complete makes the table, or adds what it lacks. Processes that start
// together may do it at the same time. A file that lacks nothing is only read;
// with JournalDelete even that has to wait for who is writing.
func (s *Store) complete(ctx context.Context) error {
	const pause = 5 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.BusyTimeout, defaultBusyTimeout))
	defer cancel()
	for {
		err := s.completeOnce(ctx)
		if !busy(err) {
			return classify(ctx, "migrate", err)
		}
		select {
		case <-ctx.Done():
			return classify(ctx, "migrate", err)
		case <-time.After(pause):
		}
	}
}

func (s *Store) completeOnce(ctx context.Context) error {
	plan, err := s.plan(ctx)
	if errors.Is(err, migrate.ErrNoTable) {
		if err = migrate.Up(ctx, s.write, migrate.SQLite, s.cfg.Table); !errors.Is(err, migrate.ErrTableExists) {
			return err
		}
		plan, err = s.plan(ctx) // another program made it meanwhile
	}
	if err != nil {
		return err
	}
	return plan.Apply(ctx, s.write)
}

func (s *Store) plan(ctx context.Context) (migrate.Plan, error) {
	return migrate.NewPlan(ctx, s.read, migrate.SQLite, s.cfg.Table, migrate.Options{})
}
