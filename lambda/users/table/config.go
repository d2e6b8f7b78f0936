package table

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// None is the column name of what the table has no column for.
const None = "-"

// IDType is the type of the primary key.
type IDType string

const (
	// BigInt is a 64-bit integer that the database numbers by itself.
	BigInt IDType = "bigint"
	// Int is a 32-bit integer that the database numbers by itself.
	Int IDType = "int"
	// UUID is a UUID: of the database's own type where there is one, else its
	// canonical text in lower case. The store makes it (version 7).
	UUID IDType = "uuid"
	// Text is text of at most 128 printable ASCII characters without spaces,
	// as sso.UserIDOpaque takes. The store makes a version 7 UUID for a new row.
	Text IDType = "text"
)

// SubjectType is the type of a column with ids at a provider.
type SubjectType string

const (
	// SubjectText is any text type.
	SubjectText SubjectType = "text"
	// SubjectNumber is a 64-bit integer, as old tables often have Kakao's ids.
	SubjectNumber SubjectType = "number"
)

// ProviderColumn is where a table has the ids at one provider.
type ProviderColumn struct {
	// Name is the column's name. Required.
	Name string
	// Type defaults to SubjectText.
	Type SubjectType
}

// MovePolicy says what becomes of a row that carries the provider's id of
// somebody who comes with another sub: a user who was deleted in the pool and
// signed up again, or one of another pool on the same table.
type MovePolicy string

const (
	// Adopt gives the row the new sub, and writes a record of it into the
	// table Config.Moves, in the same transaction.
	Adopt MovePolicy = "adopt"
	// Refuse changes nothing; the store returns users.ErrMoveRefused.
	Refuse MovePolicy = "refuse"
)

// Config is the layout. It is copied. Names are 1 to 63 ASCII letters, digits
// and underscores that do not begin with a digit, and are always quoted, so
// they match exactly where the database tells case apart.
type Config struct {
	// Name is the table's name, or schema.table. Defaults to "users".
	Name string
	// ID is the primary key, one column. Defaults to "id".
	ID string
	// IDType defaults to BigInt.
	IDType IDType
	// Sub is the column with Cognito's sub: text, with a unique index, NULL
	// for who never signed in through Cognito. Defaults to "cognito_sub".
	Sub string
	// Providers has the column of each provider, by the provider's name in the
	// pool. Each has a unique index. A provider that is not in it is told
	// apart by the sub alone. Defaults to Kakao: kakao_id, Google: google_id,
	// both SubjectText; an empty map is none.
	Providers map[string]ProviderColumn
	// Email, DisplayName, LastLogin and Created are columns that may be
	// missing: then they are None. They default to "email", "name",
	// "last_login_at" and "created_at". Without LastLogin sign-ins cannot be
	// recorded. The times are timestamps with a time zone where the database
	// has them, else in UTC.
	Email, DisplayName, LastLogin, Created string
	// Moved defaults to Adopt.
	Moved MovePolicy
	// Moves is the table that [Adopt] writes to. Defaults to "sso_moves", in
	// the same schema as Name.
	Moves string
}

// Columns of the table Config.Moves, which is this module's own.
const (
	MovesID       = "id"       // bigint, numbered
	MovesUser     = "user_id"  // Config.ID of the row, as text
	MovesProvider = "provider" // name of the provider
	MovesFrom     = "from_sub" // the sub that the row had
	MovesTo       = "to_sub"   // the sub that it got
	MovesAt       = "moved_at" // the database's clock
)

const maxName = 63

// name is narrower than any database's rule, so that quoting can never be got
// wrong. It does not count: {0,62} would be 62 copies to compile at every start.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func isName(s string) bool { return len(s) <= maxName && name.MatchString(s) }

// Complete returns c with its defaults. It does not validate.
func (c Config) Complete() Config {
	def := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	def(&c.Name, "users")
	def(&c.ID, "id")
	def((*string)(&c.IDType), string(BigInt))
	def(&c.Sub, "cognito_sub")
	if c.Providers == nil {
		c.Providers = map[string]ProviderColumn{"Kakao": {Name: "kakao_id"}, "Google": {Name: "google_id"}}
	}
	c.Providers = maps.Clone(c.Providers)
	for provider, column := range c.Providers {
		def((*string)(&column.Type), string(SubjectText))
		c.Providers[provider] = column
	}
	def(&c.Email, "email")
	def(&c.DisplayName, "name")
	def(&c.LastLogin, "last_login_at")
	def(&c.Created, "created_at")
	def((*string)(&c.Moved), string(Adopt))
	if c.Moves == "" {
		c.Moves = "sso_moves"
		if schema, _, ok := strings.Cut(c.Name, "."); ok {
			c.Moves = schema + "." + c.Moves
		}
	}
	return c
}

// Validate reports everything that is wrong with c, after its defaults, one
// line each that names the field.
func (c Config) Validate() error {
	c = c.Complete()
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("table: "+field+": "+format, args...))
	}
	for _, f := range []struct{ field, value string }{{"Name", c.Name}, {"Moves", c.Moves}} {
		parts := strings.Split(f.value, ".")
		if len(parts) > 2 || slices.ContainsFunc(parts, func(p string) bool { return !isName(p) }) {
			bad(f.field, "%q is not table or schema.table", f.value)
		}
	}
	if strings.EqualFold(c.Name, c.Moves) {
		bad("Moves", "is the user table itself")
	}
	if !slices.Contains([]IDType{BigInt, Int, UUID, Text}, c.IDType) {
		bad("IDType", "%q is none of bigint, int, uuid, text", c.IDType)
	}
	if c.Moved != Adopt && c.Moved != Refuse {
		bad("Moved", "%q is neither adopt nor refuse", c.Moved)
	}
	owner := map[string]string{} // column, folded as most databases do → field
	claim := func(field, column string, optional bool) {
		if optional && column == None {
			return
		}
		folded := strings.ToLower(column)
		switch {
		case !isName(column):
			bad(field, "%q is not a column name", column)
		case owner[folded] != "":
			bad(field, "column %q is already that of %s", column, owner[folded])
		}
		owner[folded] = field
	}
	claim("ID", c.ID, false)
	claim("Sub", c.Sub, false)
	claim("Email", c.Email, true)
	claim("DisplayName", c.DisplayName, true)
	claim("LastLogin", c.LastLogin, true)
	claim("Created", c.Created, true)
	for _, provider := range c.ProviderNames() {
		column := c.Providers[provider]
		field := fmt.Sprintf("Providers[%q]", provider)
		if provider == "" {
			bad(field, "a provider has no name")
		}
		if column.Type != SubjectText && column.Type != SubjectNumber {
			bad(field, "type %q is neither text nor number", column.Type)
		}
		claim(field, column.Name, false)
	}
	return errors.Join(errs...)
}

// ProviderNames are the configured providers in a fixed order.
func (c Config) ProviderNames() []string { return slices.Sorted(maps.Keys(c.Providers)) }

// Quote makes an SQL identifier of a validated name, part by part, with the
// dialect's quote: '"', or '`' for MySQL.
func Quote(mark, name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = mark + p + mark
	}
	return strings.Join(parts, ".")
}
