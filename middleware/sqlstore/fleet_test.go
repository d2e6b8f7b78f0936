package sqlstore_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/fleettest"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/sqlstore"
)

// TestMain is also the app processes of the fleet.
func TestMain(m *testing.M) {
	fleettest.Main(func(dsn string) (middleware.SessionStore, error) {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		return sqlstore.New(sqlstore.Config{DB: db, Dialect: sqlstore.PostgreSQL})
	})
	os.Exit(m.Run())
}

// onPostgres adds a PostgreSQL of its own, with the table, to a run.
func onPostgres(t *testing.T, cfg fleettest.Config) fleettest.Config {
	t.Helper()
	server := realtest.NewPostgres(t)
	cfg.Server = server
	return withTable(t, cfg, server.Database(t))
}

func withTable(t *testing.T, cfg fleettest.Config, dsn string) fleettest.Config {
	t.Helper()
	newStore(t, open(t, "pgx", dsn), sqlstore.PostgreSQL)
	cfg.DSN = dsn
	return cfg
}

// TestFleet: two processes behind one PostgreSQL, with everything broken.
func TestFleet(t *testing.T) {
	t.Parallel()
	fleettest.Peace(t, onPostgres)
}

// TestFleetCanSee: a guard that is taken away must show, in the right counter.
func TestFleetCanSee(t *testing.T) {
	t.Parallel()
	if fleettest.UnderRace {
		t.Skip("eight processes more, and nothing that TestFleet does not run")
	}
	fleettest.CanSee(t, func(t *testing.T, cfg fleettest.Config) fleettest.Config {
		t.Helper()
		return withTable(t, cfg, realtest.Postgres(t))
	})
}

// TestFleetCommand is make fleet.
func TestFleetCommand(t *testing.T) { //nolint:paralleltest // it is alone
	fleettest.Command(t, func(cfg fleettest.Config) fleettest.Config { return onPostgres(t, cfg) })
}
