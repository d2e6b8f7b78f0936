package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// build makes the binary once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ssoctl")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "ssoctl")
	if text, err := exec.Command("go", "build", "-o", out, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// The exit statuses, as they are documented.
const (
	ok         = 0
	drift      = 1
	usage      = 2
	unfinished = 3
)

// world is a fake pool, a table and a folder to run the binary in.
type world struct {
	pool *ssotest.Pool
	db   *sql.DB
	dir  string
	env  []string
	// mark is how the database spells the first and the second parameter.
	mark [2]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), pool: ssotest.NewPool(t, ssotest.Config{})}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir,
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=" + w.pool.URL(),
		"SSO_USER_POOL_ID=" + w.pool.ID(), "SSO_PROVIDERS=Kakao,Google",
	}
	return w
}

// sqlite gives the world a table in a file, made by ssoctl itself.
func (w *world) sqlite(t *testing.T) *world {
	t.Helper()
	path := filepath.Join(w.dir, "users.db")
	w.mark = [2]string{"?", "?"}
	w.env = append(w.env, "SSO_STORE=sqlite", "SSO_SQLITE_PATH="+path)
	return w.open(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
}

func (w *world) postgres(t *testing.T) *world {
	t.Helper()
	dsn := realtest.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	w.mark = [2]string{"$1", "$2"}
	w.env = append(w.env, "SSO_STORE=postgres", "SSO_DB_PORT="+u.Port(), "SSO_DB_HOST="+u.Hostname(), "SSO_DB_NAME="+strings.TrimPrefix(u.Path, "/"),
		"SSO_DB_USER="+u.User.Username(), "SSO_DB_AUTH=password", "SSO_DB_PASSWORD=any", "SSO_DB_INSECURE_NO_TLS=true", "SSO_DB_STATEMENT_TIMEOUT=10s", "SSO_DB_CONNECT_TIMEOUT=10s")
	return w.open(t, "pgx", dsn)
}

func (w *world) mariadb(t *testing.T) *world {
	t.Helper()
	dsn := realtest.MariaDB(t)
	cfg, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(cfg.Addr, ":")
	user := mariadbUser(t, dsn, cfg.DBName)
	w.mark = [2]string{"?", "?"}
	w.env = append(w.env, "SSO_STORE=mysql", "SSO_DB_HOST="+host, "SSO_DB_PORT="+port, "SSO_DB_NAME="+cfg.DBName,
		"SSO_DB_USER="+user, "SSO_DB_AUTH=password", "SSO_DB_PASSWORD=secret", "SSO_DB_INSECURE_NO_TLS=true", "SSO_DB_STATEMENT_TIMEOUT=10s", "SSO_DB_CONNECT_TIMEOUT=10s")
	return w.open(t, "mysql", dsn)
}

// mariadbUser makes a user with a password: that of the server has none, which
// ssoctl does not take.
func mariadbUser(t *testing.T, dsn, database string) string {
	t.Helper()
	admin, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "u_" + database
	name = name[:min(len(name), 32)]
	for _, query := range []string{"CREATE USER " + name + " IDENTIFIED BY 'secret'", "GRANT ALL ON `" + database + "`.* TO " + name} {
		if _, err := admin.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		_, _ = admin.Exec("DROP USER " + name) //nolint:noctx // the test's context has ended
		_ = admin.Close()
	})
	return name
}

// open makes the table with ssoctl, and opens it beside.
func (w *world) open(t *testing.T, driver, dsn string) *world {
	t.Helper()
	if r := w.run(t, "migrate", "-create", "-apply"); r.status != ok {
		t.Fatalf("migrate -create: %+v", r)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.db = db
	return w
}

// row writes a row; "" is NULL.
func (w *world) row(t *testing.T, sub, kakao string) {
	t.Helper()
	null := func(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
	_, err := w.db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO users (cognito_sub, kakao_id) VALUES (%s, %s)", w.mark[0], w.mark[1]), null(sub), null(kakao))
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) kakao(t *testing.T, subject, attribute string) (sub string) {
	t.Helper()
	u := ssotest.User{Username: "Kakao_" + subject, Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{"email": "hana@example.test", "name": "Hana"}}
	if attribute != "" {
		u.Attributes["custom:userId"] = attribute
	}
	added, err := w.pool.AddUser(u)
	if err != nil {
		t.Fatal(err)
	}
	return added.Sub
}

type result struct {
	status   int
	out, err string
}

func (w *world) command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir = w.env, w.dir
	return cmd
}

func (w *world) run(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := w.command(t.Context(), t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	return result{status(t, cmd.Run()), out.String(), errs.String()}
}

func status(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// fast are the flags of a run that need not spare anybody.
func fast(args ...string) []string {
	return append([]string{"reconcile", "-skip-younger", "0", "-read-rate", "1e5", "-write-rate", "1e5"}, args...)
}

// drifted makes one of nearly everything.
func (w *world) drifted(t *testing.T) (subs []string) {
	t.Helper()
	w.row(t, w.kakao(t, "4000000001", "1"), "4000000001")              // 1: well
	w.row(t, w.kakao(t, "4000000002", ""), "4000000002")               // 2: no attribute
	w.row(t, w.kakao(t, "4000000003", "1"), "4000000003")              // 3: another's
	w.row(t, w.kakao(t, "4000000004", "77"), "4000000004")             // 4: nobody's
	w.row(t, "", "4000000005")                                         // 5: old row
	w.row(t, "00000000-0000-4000-8000-00000000dead", "4000000009")     // 6: sub is gone
	subs = append(subs, w.kakao(t, "4000000005", ""))                  // links 5
	subs = append(subs, w.kakao(t, "4000000006", "\x1b[2J<b>someone")) // no row, and an attribute that is none
	return subs
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*world, *testing.T) *world{
		"sqlite": (*world).sqlite, "postgres": (*world).postgres, "mariadb": (*world).mariadb,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := make(newWorld(t), t)
			if r := w.run(t, fast()...); r.status != ok || r.err != "" || !strings.Contains(r.out, "Pool and table are in step.") {
				t.Fatalf("of nobody: %+v", r)
			}
			w.drifted(t)
			dry := w.run(t, fast()...)
			if dry.status != drift || dry.err != "" {
				t.Fatalf("dry run: %+v", dry)
			}
			for _, want := range []string{"dry run", "attribute of another", "attribute differs", "attribute missing", "user without row", "sub gone",
				"link the old row", "create a row", "write the row's id", "-apply repairs 5 findings", "Looked at 6 users and 6 rows"} {
				if !strings.Contains(dry.out, want) {
					t.Errorf("the table does not say %q:\n%s", want, dry.out)
				}
			}
			if again := w.run(t, fast()...); again.status != drift || !strings.Contains(again.out, "-apply repairs 5 findings") {
				t.Errorf("a dry run changed something: %+v", again)
			}
			if r := w.run(t, fast("-apply")...); r.status != ok || !strings.Contains(r.out, "Pool and table are in step.") {
				t.Errorf("apply: %+v", r)
			}
			if r := w.run(t, fast("-apply")...); r.status != ok || strings.Contains(r.out, "attribute") {
				t.Errorf("second apply: %+v", r)
			}
			if r := w.run(t, fast("-strict")...); r.status != drift {
				t.Errorf("-strict: %+v", r)
			}
			if r := w.run(t, fast("-strict", "-skip-gone")...); r.status != ok {
				t.Errorf("-strict -skip-gone: %+v", r)
			}
			for subject, id := range map[string]string{"4000000001": "1", "4000000002": "2", "4000000003": "3", "4000000004": "4", "4000000005": "5", "4000000006": "7"} {
				if u, _ := w.pool.User("Kakao_" + subject); u.Attributes["custom:userId"] != id {
					t.Errorf("%s has the attribute %q, want %s", subject, u.Attributes["custom:userId"], id)
				}
			}
		})
	}
}

// No output names anybody, and -show-subs shows subs only.
func TestOutputIsQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	subs := w.drifted(t)
	for _, args := range [][]string{nil, {"-json"}, {"-show-subs"}, {"-json", "-show-subs"}} {
		r := w.run(t, fast(args...)...)
		for _, personal := range []string{"40000000", "Kakao_", "example.test", "Hana", "\x1b"} {
			if strings.Contains(r.out+r.err, personal) {
				t.Errorf("%v: the output has %q:\n%s%s", args, personal, r.out, r.err)
			}
		}
		shows := strings.Contains(strings.Join(args, " "), "-show-subs")
		if got := strings.Contains(r.out, subs[0]); got != shows {
			t.Errorf("%v: the output has a sub: %v", args, got)
		}
		if got := strings.Contains(r.out, "someone"); got != shows {
			t.Errorf("%v: the output has an odd attribute: %v", args, got)
		}
	}
}

type line struct {
	Type, Kind, Severity, Action string
	Repaired, OK, Complete       bool
	RowID                        string `json:"row_id"`
	Found, Repair                map[string]int
	Remaining                    map[string]int
	Users, Rows                  int
}

func jsonLines(t *testing.T, out string) (findings []line, summary line) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(out))
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		var l line
		var head struct{ Type string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		if head.Type == "finding" {
			if err := json.Unmarshal(raw, &l); err != nil {
				t.Fatal(err)
			}
			findings = append(findings, l)
			continue
		}
		var s struct {
			line
			Repaired map[string]int
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		summary = s.line
		summary.Repair = s.Repaired
	}
	if summary.Type != "summary" {
		t.Fatalf("no summary: %s", out)
	}
	return findings, summary
}

func TestJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	w.drifted(t)
	findings, s := jsonLines(t, w.run(t, fast("-json")...).out)
	if len(findings) != 6 || s.OK || !s.Complete || s.Users != 6 || s.Rows != 6 || s.Remaining["drift"] != 5 || s.Remaining["notice"] != 1 {
		t.Errorf("dry run: %+v %+v", findings, s)
	}
	findings, s = jsonLines(t, w.run(t, fast("-json", "-apply")...).out)
	repaired := 0
	for _, f := range findings {
		if f.Repaired {
			repaired++
		}
	}
	if repaired != 5 || !s.OK || s.Remaining["drift"] != 0 || s.Repair["user_without_row"] != 2 {
		t.Errorf("apply: %+v %+v", findings, s)
	}
}

// A pool that throttles, with a quota that the slowest machine exceeds.
func TestThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	for i := range 12 {
		w.kakao(t, fmt.Sprint(5000000000+i), "")
	}
	w.pool.SetFaults(func(f *ssotest.Faults) { f.Quota = map[string]int{"AdminUpdateUserAttributes": 4} })
	r := w.run(t, fast("-apply", "-limit", "10")...)
	if r.status != ok || !strings.Contains(r.out, "throttled ") || !strings.Contains(r.out, "… and 2 more") {
		t.Errorf("apply: %+v", r)
	}
}

// Ctrl-C in the middle: the place is kept, and the next run ends what this one
// began.
func TestInterruptAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	const lost = 130
	for i := range lost {
		w.kakao(t, fmt.Sprint(5000000000+i), "")
	}
	out, in := io.Pipe()
	var errs bytes.Buffer
	cmd := w.command(t.Context(), t, "reconcile", "-apply", "-json", "-skip-younger", "0", "-read-rate", "1e5", "-write-rate", "100")
	cmd.Stdout, cmd.Stderr = in, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string)
	go func() {
		text := &strings.Builder{}
		buf := make([]byte, 4096)
		for lines := 0; ; {
			n, err := out.Read(buf)
			text.Write(buf[:n])
			before := lines
			lines += bytes.Count(buf[:n], []byte("\n"))
			if before < 70 && lines >= 70 { // in the second page
				_ = cmd.Process.Signal(os.Interrupt)
			}
			if err != nil {
				first <- text.String()
				return
			}
		}
	}()
	got := status(t, cmd.Wait())
	_ = in.Close()
	_, part := jsonLines(t, <-first)
	if got != unfinished || part.Complete || part.OK || part.Repair["user_without_row"] < 70 || part.Repair["user_without_row"] >= lost {
		t.Fatalf("interrupted: status %d, %+v, %s", got, part, errs.String())
	}
	file := "ssoctl-" + w.pool.ID() + ".checkpoint"
	if !strings.Contains(errs.String(), "interrupted") || !strings.Contains(errs.String(), "-resume "+file) {
		t.Errorf("it does not say how to go on: %s", errs.String())
	}
	info, err := os.Stat(filepath.Join(w.dir, file))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("checkpoint: %v, %v", info, err)
	}

	if r := w.run(t, fast("-resume", file)...); r.status != usage || !strings.Contains(r.err, "checkpoint") {
		t.Errorf("a dry run goes on with the place of -apply: %+v", r)
	}
	r := w.run(t, fast("-apply", "-json", "-resume", file)...)
	_, s := jsonLines(t, r.out)
	// Whose row was made when the interruption came lacks the attribute only.
	if r.status != ok || s.Users != lost || s.Repair["user_without_row"]+s.Repair["attribute_missing"] != lost || s.Repair["attribute_missing"] > 1 {
		t.Errorf("resumed: %d, %+v, %s", r.status, s, r.err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, file)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the checkpoint of a finished run is still there")
	}
	if r := w.run(t, fast()...); r.status != ok {
		t.Errorf("after that: %+v", r)
	}
}

func TestUnfinished(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(w *world)
		args   []string
		want   string
	}{
		"pool says no": {func(w *world) {
			w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{"ListUsers": "NotAuthorizedException"} })
		}, fast(), "ListUsers: NotAuthorizedException"},
		"database is down": {func(w *world) {
			w.env = append(w.env, "SSO_STORE=postgres", "SSO_DB_HOST=127.0.0.1", "SSO_DB_PORT=1", "SSO_DB_NAME=x", "SSO_DB_USER=x",
				"SSO_DB_AUTH=password", "SSO_DB_PASSWORD=hunter2", "SSO_DB_INSECURE_NO_TLS=true")
		}, fast(), "postgres"},
		"checkpoint cannot be written": {func(w *world) {
			w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{"ListUsers": "NotAuthorizedException"} })
		}, fast("-checkpoint", "no/such/folder"), "could not be kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).sqlite(t)
			tc.change(w)
			r := w.run(t, tc.args...)
			if r.status != unfinished || !strings.Contains(r.err, tc.want) || strings.Contains(r.err, "hunter2") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	for name, tc := range map[string]struct {
		env, args []string
		status    int
		want      string // on standard error
	}{
		"nothing":              {nil, nil, usage, "Usage:\n  ssoctl"},
		"mistyped command":     {nil, []string{"reconcil"}, usage, "do you mean reconcile?"},
		"a flag of its own":    {nil, []string{"-apply"}, usage, "--apply"},
		"a flag behind --":     {nil, []string{"reconcile", "--", "-apply"}, usage, `"-apply"`},
		"unknown command":      {nil, []string{"repair"}, usage, `no command "repair"`},
		"unknown flag":         {nil, []string{"reconcile", "-now"}, usage, "-now"},
		"argument":             {nil, []string{"reconcile", "apply"}, usage, `"apply"`},
		"rate of none":         {nil, []string{"reconcile", "-read-rate", "0"}, usage, "-read-rate"},
		"rate that is no rate": {nil, []string{"reconcile", "-write-rate", "NaN"}, usage, "-write-rate"},
		"negative limit":       {nil, []string{"reconcile", "-limit", "-1"}, usage, "-limit"},
		"negative age":         {nil, []string{"reconcile", "-skip-younger", "-1s"}, usage, "-skip-younger"},
		"no checkpoint":        {nil, []string{"reconcile", "-resume", "nothing"}, usage, "-resume"},
		"no such checkpoint":   {nil, []string{"reconcile", "-resume", "users.db"}, usage, "no checkpoint"},
		"no pool":              {[]string{"SSO_USER_POOL_ID="}, []string{"reconcile"}, usage, "SSO_USER_POOL_ID: required"},
		"odd pool":             {[]string{"SSO_USER_POOL_ID=pool"}, []string{"reconcile"}, usage, "SSO_USER_POOL_ID"},
		"everything missing":   {[]string{"SSO_STORE=", "SSO_PROVIDERS="}, []string{"reconcile"}, usage, "SSO_PROVIDERS: required\nSSO_STORE: required"},
		"store of no kind":     {[]string{"SSO_STORE=oracle"}, []string{"reconcile"}, usage, "SSO_STORE"},
		"file that is not":     {[]string{"SSO_SQLITE_PATH=/no/such/file"}, []string{"reconcile"}, usage, "SSO_SQLITE_PATH"},
		"migrate from afar":    {[]string{"SSO_STORE=remote"}, []string{"migrate"}, usage, "SSO_STORE"},
		"create what":          {nil, []string{"migrate", "-create"}, usage, "-apply"},
		"too many rows":        {nil, []string{"import-check", "-rows", "1001"}, usage, "-rows"},
		"typing error":         {[]string{"SSO_PROVIDER_COLUMS=x"}, []string{"import-check"}, ok, "unknown variable SSO_PROVIDER_COLUMS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := *w
			other.env = append(append([]string{}, w.env...), tc.env...)
			r := other.run(t, tc.args...)
			if r.status != tc.status || !strings.Contains(r.err, tc.want) || tc.status == usage && r.out != "" {
				t.Errorf("%+v", r)
			}
		})
	}
	if _, err := os.Stat("/no/such/file"); err == nil {
		t.Error("a file was made of a typing error")
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for args, want := range map[string]string{
		"help": "Exit status", "-h": "Usage:\n  ssoctl", "--help": "Usage:\n  ssoctl", "-help": "Usage:\n  ssoctl", "help reconcile": "-resume FILE", "help import-check": "-rows N", "help migrate": "-create",
		"help environment": "SSO_TABLE_SUB", "help help": "Usage:\n  ssoctl", "version": "ssoctl ", "reconcile -h": "--resume FILE",
		"completion bash": "ssoctl", "completion zsh": "#compdef ssoctl", "__complete re": "reconcile\t", "__complete migrate --cr": "--create",
	} {
		r := w.run(t, strings.Fields(args)...)
		if r.status != ok || !strings.Contains(r.out, want) || r.err != "" && !strings.HasPrefix(args, "__complete") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := w.run(t, "help", "nothing"); r.status != usage {
		t.Errorf("help nothing: %+v", r)
	}
}

// The environment of a function can be used as it is: nothing in it is taken for
// a typing error. (Those of a server are known where the table is in one.)
func TestEveryVariableOfTheFunctionsIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	set := map[string]bool{}
	for _, v := range w.env {
		name, _, _ := strings.Cut(v, "=")
		set[name] = true
	}
	var more []string
	for _, source := range []string{"../sso-trigger/*.go", "../sso-dbsync/*.go", "../sso-signins/*.go", "../../internal/settings/*.go", "../../internal/function/*.go"} {
		files, err := filepath.Glob(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`"(SSO_[A-Z_]+)"`).FindAllStringSubmatch(string(text), -1) {
				if name := m[1]; !set[name] && !strings.HasPrefix(name, "SSO_DB_") && !strings.HasSuffix(file, "_test.go") {
					set[name] = true
					more = append(more, name+"=")
				}
			}
		}
	}
	if len(more) < 25 {
		t.Errorf("only %d variables were found: %v", len(more), more)
	}
	w.env = append(w.env, more...)
	if r := w.run(t, "import-check"); r.status != ok || strings.Contains(r.err, "unknown variable") {
		t.Errorf("%+v", r)
	}
}

// The help explains every variable of a database.
func TestHelpNamesEveryVariable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := w.run(t, "help", "environment").out
	for _, name := range []string{"SSO_DB_HOST", "SSO_DB_PORT", "SSO_DB_NAME", "SSO_DB_USER", "SSO_DB_AUTH", "SSO_DB_PASSWORD", "SSO_DB_SECRET_ARN",
		"SSO_DB_CA_FILE", "SSO_DB_INSECURE_NO_TLS", "SSO_DB_CONNECT_TIMEOUT", "SSO_DB_STATEMENT_TIMEOUT", "SSO_DB_MAX_CONNS", "SSO_SQLITE_JOURNAL"} {
		if !strings.Contains(text, name) {
			t.Errorf("the help does not name %s", name)
		}
	}
}

// An old table, from look to go-live.
func TestPrepareAnOldTable(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]struct {
		open func(*world, *testing.T) *world
		old  string
	}{
		"sqlite":   {(*world).sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT, email TEXT, name TEXT)"},
		"postgres": {(*world).postgres, "CREATE TABLE users (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, kakao_id text, email text, name text)"},
		"mariadb":  {(*world).mariadb, "CREATE TABLE users (id bigint PRIMARY KEY AUTO_INCREMENT, kakao_id varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, email varchar(255), name varchar(255))"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kind.open(newWorld(t), t)
			exec := func(query string) {
				t.Helper()
				if _, err := w.db.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			exec("DROP TABLE users")
			if r := w.run(t, "migrate"); r.status != drift || !strings.Contains(r.out, "--create --apply") {
				t.Errorf("migrate without a table: %+v", r)
			}
			exec(kind.old)
			exec("INSERT INTO users (kakao_id) VALUES ('11'), ('11'), ('12')")
			check := w.run(t, "import-check")
			if check.status != drift || !strings.Contains(check.out, "must not go live") || strings.Contains(check.out, "'11'") {
				t.Errorf("import-check of duplicates: %+v", check)
			}
			if r := w.run(t, "migrate", "-apply"); r.status != drift || !strings.Contains(r.out, "cannot be completed") {
				t.Errorf("migrate of duplicates: %+v", r)
			}
			exec("UPDATE users SET kakao_id = '13' WHERE id = 2")
			plan := w.run(t, "migrate")
			if plan.status != drift || !strings.Contains(plan.out, "cognito_sub") || !strings.Contains(plan.err, "nothing was changed") {
				t.Errorf("migrate: %+v", plan)
			}
			if r := w.run(t, "migrate"); r.out != plan.out {
				t.Errorf("a plan changed something: %+v", r)
			}
			var steps struct{ Steps []struct{ SQL string } }
			if r := w.run(t, "migrate", "-json"); r.status != drift || json.Unmarshal([]byte(r.out), &steps) != nil || len(steps.Steps) == 0 {
				t.Errorf("migrate -json: %+v", r)
			}
			if r := w.run(t, "migrate", "-apply"); r.status != ok {
				t.Errorf("migrate -apply: %+v", r)
			}
			if r := w.run(t, "migrate"); r.status != ok {
				t.Errorf("migrate again: %+v", r)
			}
			var report struct{ Rows, Linkable int }
			if r := w.run(t, "import-check", "-json"); r.status != ok || json.Unmarshal([]byte(r.out), &report) != nil || report.Rows != 3 || report.Linkable != 3 {
				t.Errorf("import-check: %+v", r)
			}
			w.kakao(t, "12", "")
			if r := w.run(t, fast("-apply")...); r.status != ok || !strings.Contains(r.out, "link the old row") {
				t.Errorf("reconcile: %+v", r)
			}
		})
	}
}

// Nobody reads on, as behind "| head": the run stops, and does not repair unseen.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	for i := range 200 {
		w.kakao(t, fmt.Sprint(5000000000+i), "")
	}
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer out.Close()
	cmd := w.command(t.Context(), t, fast("-apply", "-json")...)
	cmd.Stdout = out
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("Run = %v", err)
	}
	if sys, isUnix := exit.Sys().(syscall.WaitStatus); !isUnix || !sys.Signaled() && exit.ExitCode() != unfinished {
		t.Errorf("ended with %v", err)
	}
	repaired := 0
	for _, u := range w.pool.Users() {
		if u.Attributes["custom:userId"] != "" {
			repaired++
		}
	}
	if repaired > 2 {
		t.Errorf("%d users were repaired unseen", repaired)
	}
}
