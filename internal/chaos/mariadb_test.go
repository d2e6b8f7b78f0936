package chaos_test

import (
	"context"
	"io"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/ssu-itsupport/cognito-sso/internal/chaos"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/mysql"
)

const mariaDBMoves = `CREATE TABLE sso_moves (id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id VARCHAR(255) NOT NULL, provider VARCHAR(255) NOT NULL,
	from_sub VARCHAR(255) NOT NULL, to_sub VARCHAR(255) NOT NULL, moved_at DATETIME(6) NOT NULL) CHARACTER SET utf8mb4`

func onMariaDB(t *testing.T, seed uint64) func(t *testing.T) stage {
	dsn := realtest.MariaDB(t)
	to, err := driver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, wire := wireTo(t, seed, to.Addr)
	conn.Database, conn.User, conn.Password = to.DBName, to.User, dbconn.NewStatic(to.Passwd)
	d := chaos.MariaDB()
	d.Create = append(d.Create, mariaDBMoves)
	rival := startRival(t, seed, dial(t, "mysql", dsn), d)
	return func(t *testing.T) stage {
		return stage{
			table: &chaos.Table{Conn: dial(t, "mysql", dsn), Dialect: d}, calm: together(wire.Calm, rival.Calm),
			open: func(ctx context.Context, wrap func(users.Store) users.Store) (users.Store, io.Closer, error) {
				s, err := mysql.Open(ctx, mysql.Config{Conn: conn})
				if err != nil {
					return nil, nil, err
				}
				return wrap(s), s, nil
			},
		}
	}
}
