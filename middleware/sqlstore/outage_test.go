package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/sqlstore"
)

// TestRestart: a server that is away is an error that says nothing about a
// session, and the pool's dead connections are none when it is back.
func TestRestart(t *testing.T) {
	t.Parallel()
	type server interface {
		Kill()
		Start(t testing.TB)
	}
	postgres, mariadb := realtest.NewPostgres(t), realtest.NewMariaDB(t)
	for _, row := range []struct {
		dialect     sqlstore.Dialect
		driver, dsn string
		server      server
	}{
		{sqlstore.PostgreSQL, "pgx", postgres.Database(t), postgres},
		{sqlstore.MySQL, "mysql", mariadb.Database(t), mariadb},
	} {
		t.Run(row.dialect.String(), func(t *testing.T) {
			t.Parallel()
			s := newStore(t, open(t, row.driver, row.dsn), row.dialect)
			rec := record("k", "s", time.Hour)
			mustCreate(t, s, rec)
			row.server.Kill()
			for range 3 {
				if _, err := s.Get(t.Context(), "k"); err == nil || errors.Is(err, middleware.ErrSessionGone) {
					t.Errorf("Get without a server: %v", err)
				}
			}
			row.server.Start(t)
			if _, err := s.Get(t.Context(), "k"); err != nil {
				t.Errorf("Get after the restart: %v", err)
			}
			row.server.Kill()
			row.server.Start(t)
			// The first call over connections that died meanwhile.
			if err := s.Delete(t.Context(), "k"); err != nil {
				t.Errorf("Delete after the restart: %v", err)
			}
		})
	}
}

// TestHangingServer: a database that says nothing is given up in time.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	server := realtest.NewPostgres(t)
	s := newStore(t, open(t, "pgx", server.Database(t)), sqlstore.PostgreSQL, func(c *sqlstore.Config) { c.Timeout = time.Second })
	server.Pause()
	defer server.Resume()
	began := time.Now()
	if _, err := s.Get(t.Context(), "k"); err == nil || errors.Is(err, middleware.ErrSessionGone) {
		t.Errorf("Get: %v", err)
	}
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("waited %v", d)
	}
}
