package dbconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/dbconn"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for a server of this name, and its key, in PEM.
func (a *authority) issue(t *testing.T, name string, until time.Duration) (cert, key []byte) {
	t.Helper()
	private := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(until),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func (a *authority) file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, a.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dialer reaches addr by whatever name: the tests have no DNS of their own.
func dialer(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

const serverName = "school.c1.ap-northeast-2.rds.example.test"

// databases are the two kinds, behind what the tests need of them.
var databases = []struct {
	name, database, user string
	start                func(t *testing.T, cert, key []byte) (addr string) // with TLS, unless cert is nil
	connect              func(t *testing.T, c dbconn.Config, addr string) (version string, err error)
}{
	{"PostgreSQL", "postgres", "postgres", startPostgres, connectPostgres},
	{"MariaDB", "", "root", startMariaDB, connectMariaDB},
}

func startPostgres(t *testing.T, cert, key []byte) string {
	t.Helper()
	options := []realtest.PostgresOption{realtest.PostgresPassword(password)}
	if cert != nil {
		options = append(options, realtest.PostgresTLS(cert, key))
	}
	return realtest.NewPostgres(t, options...).Addr()
}

func startMariaDB(t *testing.T, cert, key []byte) string {
	t.Helper()
	var options []realtest.MariaDBOption
	if cert != nil {
		options = append(options, realtest.MariaDBTLS(cert, key))
	}
	s := realtest.NewMariaDB(t, options...)
	cfg, err := mysql.ParseDSN(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	mariaDB.Store(s.Addr(), cfg)
	return s.Addr()
}

// mariaDB has the account and the database of each server, by address.
var mariaDB sync.Map

// configOf is a Config for the server at addr, which is reached as serverName.
func configOf(t *testing.T, addr, database, user string) dbconn.Config {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c := dbconn.Config{Host: serverName, Port: n, Database: database, User: user, Password: dbconn.NewStatic(password)}
	if known, ok := mariaDB.Load(addr); ok {
		dsn, _ := known.(*mysql.Config)
		c.Database, c.User, c.Password = dsn.DBName, dsn.User, dbconn.NewStatic(dsn.Passwd)
	}
	return c.Complete(0)
}

// connectPostgres connects as a store does, and asks the server which TLS it
// has.
func connectPostgres(t *testing.T, c dbconn.Config, addr string) (string, error) {
	t.Helper()
	secure, err := c.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	pg, err := pgx.ParseConfig("sslmode=disable host=127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	creds, err := c.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pg.Host, pg.Port, pg.Database, pg.User, pg.Password = c.Host, uint16(c.Port), c.Database, creds.User, creds.Password.Reveal()
	pg.TLSConfig, pg.Fallbacks, pg.DialFunc = secure, nil, dialer(addr)
	pg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, pg)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var version *string
	if err := conn.QueryRow(ctx, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version == nil {
		return "", nil
	}
	return *version, nil
}

// connectMariaDB is the same for MariaDB.
func connectMariaDB(t *testing.T, c dbconn.Config, addr string) (string, error) {
	t.Helper()
	secure, err := c.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := c.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	my := mysql.NewConfig()
	my.Net, my.Addr, my.DBName, my.User, my.Passwd = "tcp", c.Addr(), c.Database, creds.User, creds.Password.Reveal()
	my.TLS, my.Logger = secure, &mysql.NopLogger{}
	dial := dialer(addr)
	my.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, network, address)
	}
	connector, err := mysql.NewConnector(my)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	if err := db.PingContext(ctx); err != nil {
		return "", err
	}
	var name, version string
	if err := db.QueryRowContext(ctx, "SHOW STATUS LIKE 'Ssl_version'").Scan(&name, &version); err != nil {
		t.Fatal(err)
	}
	return version, nil
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := newAuthority(t), newAuthority(t)
			cert, key := ours.issue(t, serverName, time.Hour)
			addr := d.start(t, cert, key)
			for _, row := range []struct {
				name   string
				change func(*dbconn.Config)
				want   func(error) bool
			}{
				{"verified, by PEM", func(c *dbconn.Config) { c.TLS.CAPEM = ours.pem }, nil},
				{"verified, by file", func(c *dbconn.Config) { c.TLS.CAFile = ours.file(t) }, nil},
				{"verified, among others", func(c *dbconn.Config) { c.TLS.CAPEM = append(append([]byte{}, theirs.pem...), ours.pem...) }, nil},
				{"another authority of the same name", func(c *dbconn.Config) { c.TLS.CAPEM = theirs.pem }, is[x509.UnknownAuthorityError]},
				{"the system's authorities", func(c *dbconn.Config) { c.TLS.SystemCAs = true }, is[x509.UnknownAuthorityError]},
				{"another name", func(c *dbconn.Config) { c.Host, c.TLS.CAPEM = "other."+serverName, ours.pem }, is[x509.HostnameError]},
				{"a name that begins alike", func(c *dbconn.Config) { c.Host, c.TLS.CAPEM = serverName+".evil.test", ours.pem }, is[x509.HostnameError]},
				{"the address instead of the name", func(c *dbconn.Config) { c.Host, c.TLS.CAPEM = "127.0.0.1", ours.pem }, is[x509.HostnameError]},
				{"no TLS is not taken by a server that wants it", func(c *dbconn.Config) { c.Host, c.TLS.InsecureNoTLS = "127.0.0.1", true },
					func(err error) bool { return err != nil }},
				{"the wrong password is not in the error", func(c *dbconn.Config) { c.TLS.CAPEM, c.Password = ours.pem, dbconn.NewStatic("wrong-"+password) },
					func(err error) bool { return err != nil && !strings.Contains(err.Error(), "wrong-") }},
			} {
				t.Run(row.name, func(t *testing.T) {
					t.Parallel()
					c := configOf(t, addr, d.database, d.user)
					row.change(&c)
					version, err := d.connect(t, c, addr)
					if row.want == nil {
						if err != nil || (version != "TLSv1.3" && version != "TLSv1.2") {
							t.Errorf("%q, %v", version, err)
						}
					} else if !row.want(err) {
						t.Errorf("error = %v", err)
					}
				})
			}
		})
	}
}

func is[E error](err error) bool {
	var as E
	return errors.As(err, &as)
}

func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			ours := newAuthority(t)
			cert, key := ours.issue(t, serverName, -time.Hour)
			addr := d.start(t, cert, key)
			c := configOf(t, addr, d.database, d.user)
			c.TLS.CAPEM = ours.pem
			_, err := d.connect(t, c, addr)
			var invalid x509.CertificateInvalidError
			if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// A server without TLS, or somebody on the way who says that it has none, gets
// no password.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			addr := d.start(t, nil, nil)
			c := configOf(t, addr, d.database, d.user)
			c.TLS.CAPEM = newAuthority(t).pem
			if _, err := d.connect(t, c, addr); err == nil {
				t.Error("connected in clear")
			}
			// So that the line above means something:
			c.TLS, c.Host = dbconn.TLS{InsecureNoTLS: true}, "127.0.0.1"
			if version, err := d.connect(t, c, addr); err != nil || version != "" {
				t.Errorf("%q, %v", version, err)
			}
		})
	}
}
