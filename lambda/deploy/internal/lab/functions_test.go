package lab_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	stdlog "log"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// alive is a lab with everything in it: a real PostgreSQL in the database's
// first subnet, the real functions, and AWS's services on the internet.
type alive struct {
	*world
	db       *sql.DB
	database *lab.Host
	aws      *services
	pem      pemFiles
	programs map[string]*function
}

func bring(t *testing.T, w *world) *alive {
	t.Helper()
	host := w.hosts(t, network.Database)[0]
	a := &alive{world: w, database: host, programs: map[string]*function{}}
	main := w.d.Main().Nested["Functions"].Parameters
	name := fmt.Sprint(main["DatabaseHost"])
	a.pem = issue(t, name)
	place := netip.AddrPortFrom(host.Addr, uint16(w.n.DatabasePort))
	server := realtest.NewPostgres(t, realtest.PostgresIn(host.Do, place), realtest.PostgresTLS(a.pem.cert, a.pem.key))
	a.db = school(t, server, fmt.Sprint(main["DatabaseName"]), fmt.Sprint(main["DatabaseUser"]))
	w.listen(t, place, at(w.hosts(t, lab.AWS)[0], 443))
	a.serveAWS(t, name)
	for _, r := range w.d.Of("AWS::Lambda::Function") {
		a.start(t, r)
	}
	a.aws.dbsync = a.programs["dbsync"] // nil with nat
	return a
}

// school is the organisation's database, with a table of users.
func school(t *testing.T, server *realtest.PostgresServer, name, user string) *sql.DB {
	t.Helper()
	admin := open(t, server.SocketDSN("postgres", "postgres"))
	for _, statement := range []string{"CREATE ROLE " + user + " LOGIN", "CREATE DATABASE " + name + " OWNER " + user} {
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, server.SocketDSN(name, user))
	if err := migrate.Up(t.Context(), db, migrate.Postgres, table.Config{}); err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// function is a program in its namespace.
type function struct {
	*lambdaruntime.Runtime
	host *lab.Host
	log  *log
}

type log struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs a function in its first subnet with the environment and the
// timeout of the template. Added is what Lambda adds, and two files with the
// authority that stands for Amazon's.
func (a *alive) start(t *testing.T, r *template.Resource) {
	t.Helper()
	program := strings.ToLower(r.LogicalID)
	f := &function{host: a.hosts(t, program)[0], log: &log{}}
	env := []string{
		"AWS_REGION=ap-northeast-2", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"SSL_CERT_FILE=" + a.pem.file,
	}
	environment, _ := r.Properties["Environment"].(template.Object)
	variables, _ := environment["Variables"].(template.Object)
	for name, value := range variables {
		env = append(env, fmt.Sprintf("%s=%v", name, value))
	}
	if variables["SSO_DB_HOST"] != nil {
		env = append(env, "SSO_DB_CA_FILE="+a.pem.file)
	}
	timeout, err := time.ParseDuration(fmt.Sprint(r.Properties["Timeout"], "s"))
	if err != nil {
		t.Fatal(err)
	}
	f.Runtime, err = lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{functiontest.Build(t, "../../../cmd/sso-"+program)}, Env: env, Timeout: timeout, InitTimeout: 30 * time.Second,
		FunctionName: fmt.Sprint(r.Properties["FunctionName"]), Output: f.log, Within: f.host.Do,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	a.programs[program] = f
	f.must(t, `{"warmup":true}`)
}

func (f *function) must(t *testing.T, event string) {
	t.Helper()
	if got, err := f.Invoke(t.Context(), json.RawMessage(event)); err != nil || got.FunctionError != "" {
		t.Fatalf("%s: %s, %v\n%s", event, got.Payload, err, f.log)
	}
}

// services are AWS's, as far as the functions call them, at their own names.
type services struct {
	dbsync *function

	mu       sync.Mutex // guards the rest
	messages []string   // in the queue
	updates  []string   // of users' attributes
}

func (a *alive) serveAWS(t *testing.T, databaseName string) {
	t.Helper()
	a.aws = &services{}
	host := a.hosts(t, lab.AWS)[0]
	l, err := host.Listen(443)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(a.pem.cert, a.pem.key)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: a.aws, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	server.ErrorLog = quiet // of the connections that are only tried
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	names := map[string]netip.Addr{databaseName: a.database.Addr}
	for _, service := range awsServices {
		names[service] = host.Addr
	}
	if err := a.SetNames(names); err != nil {
		t.Fatal(err)
	}
}

var quiet = stdlog.New(io.Discard, "", 0)

var awsServices = []string{"lambda.ap-northeast-2.amazonaws.com", "sqs.ap-northeast-2.amazonaws.com", "cognito-idp.ap-northeast-2.amazonaws.com"}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch {
	case s.dbsync != nil && r.URL.Path == "/2015-03-31/functions/sso-dbsync/invocations":
		s.invoke(r.Context(), w, body)
	case operation == "SendMessage":
		var in struct{ MessageBody string }
		_ = json.Unmarshal(body, &in)
		s.add(&s.messages, in.MessageBody)
		sum := md5.Sum([]byte(in.MessageBody))
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"MessageId":"1","MD5OfMessageBody":%q}`, hex.EncodeToString(sum[:]))
	case operation == "AdminUpdateUserAttributes":
		s.add(&s.updates, string(body))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		io.WriteString(w, "{}")
	default:
		http.Error(w, "unexpected", http.StatusNotImplemented)
	}
}

// invoke hands an event over as Lambda does, by no network of the VPC.
func (s *services) invoke(ctx context.Context, w http.ResponseWriter, event []byte) {
	a, err := s.dbsync.Invoke(ctx, event)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if a.FunctionError != "" {
		w.Header().Set("X-Amz-Function-Error", a.FunctionError)
	}
	w.Write(a.Payload)
}

func (s *services) add(to *[]string, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*to = append(*to, what)
}

func (s *services) seen() (messages, updates []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages, s.updates
}

// pemFiles is a certificate that is its own authority.
type pemFiles struct {
	cert, key []byte
	file      string // with cert
}

func issue(t *testing.T, database string) pemFiles {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: append([]string{database}, awsServices...), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, like, like, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	out := pemFiles{file: filepath.Join(t.TempDir(), "ca.pem")}
	out.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	out.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if err := os.WriteFile(out.file, out.cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
