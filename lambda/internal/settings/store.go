package settings

import (
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Kind is which store of users a function uses.
type Kind string

const (
	// Remote asks the function sso-dbsync.
	Remote Kind = "remote"
	// Postgres is PostgreSQL.
	Postgres Kind = "postgres"
	// MySQL is MySQL or MariaDB.
	MySQL Kind = "mysql"
	// SQLite is a file.
	SQLite Kind = "sqlite"
)

// Ports of the databases.
const (
	PostgresPort = 5432
	MySQLPort    = 3306
)

// Store is which store of users to open, and how. Only the fields of its Kind
// are set.
type Store struct {
	Kind     Kind
	Function string // of Remote: name or ARN of sso-dbsync
	Table    table.Config
	Database Database
	Path     string // of SQLite
	Journal  string // of SQLite, or ""
}

// Store reads SSO_STORE, which is one of the kinds, and what that one needs: by
// [Reader.Table] and [Reader.Database], and
//
//	SSO_DBSYNC_FUNCTION  name or ARN of the function sso-dbsync, for remote.
//	                     Required.
//	SSO_SQLITE_PATH      the file, for sqlite. Required.
//	SSO_SQLITE_JOURNAL   WAL or DELETE, for sqlite. Defaults to WAL.
//
// If fallback is "", the variable is required.
func (r *Reader) Store(fallback Kind, kinds ...Kind) Store {
	s := Store{Kind: Kind(strings.ToLower(r.Text("SSO_STORE")))}
	switch {
	case s.Kind == "" && fallback == "":
		r.Failf("SSO_STORE", "required: one of %s", join(kinds))
	case s.Kind == "":
		s.Kind = fallback
	case !slices.Contains(kinds, s.Kind):
		r.Failf("SSO_STORE", "%q is none of %s", s.Kind, join(kinds))
		s.Kind = ""
	}
	r.details(&s)
	return s
}

func (r *Reader) details(s *Store) {
	switch s.Kind {
	case Remote:
		s.Function = r.Required("SSO_DBSYNC_FUNCTION")
		return
	case Postgres:
		s.Database = r.Database(PostgresPort)
	case MySQL:
		s.Database = r.Database(MySQLPort)
	case SQLite:
		s.Path = r.Required("SSO_SQLITE_PATH")
		s.Journal = strings.ToUpper(r.OneOf("SSO_SQLITE_JOURNAL", "wal", "delete"))
	default: // what is wrong with the table is wrong for any
	}
	s.Table = r.Table()
}

func join(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
