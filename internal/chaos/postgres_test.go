package chaos_test

import (
	"context"
	"io"
	"net/url"
	"strconv"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the reader's own way in

	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

const postgresMoves = `CREATE TABLE sso_moves (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id TEXT NOT NULL,
	provider TEXT NOT NULL, from_sub TEXT NOT NULL, to_sub TEXT NOT NULL, moved_at TIMESTAMPTZ NOT NULL DEFAULT now())`

func onPostgres(t *testing.T, seed uint64) func(t *testing.T) stage {
	dsn := realtest.Postgres(t)
	to, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, wire := wireTo(t, seed, to.Host)
	conn.Database, conn.User, conn.Password = to.Path[1:], to.User.Username(), dbconn.NewStatic("trusted")
	d := chaos.Postgres()
	d.Create = append(d.Create, postgresMoves)
	rival := startRival(t, seed, dial(t, "pgx", dsn), d)
	return func(t *testing.T) stage {
		return stage{
			table: &chaos.Table{Conn: dial(t, "pgx", dsn), Dialect: d}, calm: together(wire.Calm, rival.Calm),
			open: func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error) {
				s, err := postgres.Open(ctx, postgres.Config{Conn: conn, Table: numbered})
				if err != nil {
					return nil, nil, err
				}
				return wrap(s), s, nil
			},
		}
	}
}

// numbered is a table whose Kakao ids are numbers.
var numbered = table.Config{Providers: map[string]table.ProviderColumn{
	"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}, "Google": {Name: "google_id"},
}}

// wireTo puts a wire before a server.
func wireTo(t *testing.T, seed uint64, addr string) (dbconn.Config, *chaos.Wire) {
	t.Helper()
	wire, err := chaos.NewWire(seed, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	host, port, err := hostPort(wire.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return dbconn.Config{Host: host, Port: port, TLS: dbconn.TLS{InsecureNoTLS: true}}, wire
}

func startRival(t *testing.T, seed uint64, conn chaos.Conn, d chaos.Dialect) *chaos.Rival {
	t.Helper()
	rival := chaos.NewRival(seed, conn, "BEGIN", d)
	t.Cleanup(func() { rival.Calm() })
	return rival
}

func hostPort(addr string) (host string, port int, err error) {
	u, err := url.Parse("tcp://" + addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(u.Port())
	return u.Hostname(), port, err
}
