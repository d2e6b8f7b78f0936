package deps_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ssu-itsupport/cognito-sso"

// heavy are the dependencies that an app which imports only sso and
// middleware must not compile, by import path or its prefix.
var heavy = []string{
	"database/sql",
	"github.com/aws",
	"github.com/chromedp",
	"github.com/go-sql-driver",
	"github.com/jackc",
	"github.com/mattn/go-sqlite3",
	"github.com/pressly/goose",
	"go.opentelemetry.io",
	"modernc.org",
	"testing",
	module + "/internal/browsertest",
	module + "/internal/realtest",
	module + "/lambda",
	module + "/middleware/storetest",
	module + "/sso/ssotest",
}

// under reports whether path is prefix or below it.
func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// goList runs go list in the module's root.
func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = moduleRoot(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// found returns the heavy dependencies of the packages, sorted.
func found(t *testing.T, packages ...string) []string {
	t.Helper()
	var hits []string
	for dep := range strings.Lines(string(goList(t, append([]string{"-deps"}, packages...)...))) {
		dep = strings.TrimSpace(dep)
		if slices.ContainsFunc(heavy, func(prefix string) bool { return under(dep, prefix) }) {
			hits = append(hits, dep)
		}
	}
	slices.Sort(hits)
	return hits
}

func TestAppsStayLight(t *testing.T) {
	t.Parallel()
	if hits := found(t, "./sso", "./middleware"); len(hits) > 0 {
		t.Errorf("an app that imports sso and middleware also compiles:\n  %s", strings.Join(hits, "\n  "))
	}
}

// The check above must be able to see what it looks for.
func TestHeavyDependenciesAreSeen(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ pkg, want string }{
		{"./lambda/users/sqlite", "database/sql"},
		{"./lambda/users/sqlite", "modernc.org/sqlite"},
		{"./lambda/users/postgres", "github.com/jackc/pgx/v5/pgxpool"},
		{"./lambda/users/mysql", "github.com/go-sql-driver/mysql"},
		{"./middleware/storetest", "testing"},
		{"./sso/ssootel", "go.opentelemetry.io/otel/metric"},
		{"./sso/ssotest", module + "/sso/ssotest"},
	} {
		if hits := found(t, row.pkg); !slices.Contains(hits, row.want) {
			t.Errorf("%s: %s is not among the heavy dependencies found: %v", row.pkg, row.want, hits)
		}
	}
}

// The functions in the VPC hold what they use: no SQLite, no migrations, and
// none of the SDK's search for credentials. No function holds test support.
func TestFunctionsStaySmall(t *testing.T) {
	t.Parallel()
	for pkg, without := range map[string][]string{
		"./lambda/cmd/sso-trigger": {"testing", "github.com/aws/aws-sdk-go-v2/config"},
		"./lambda/cmd/sso-dbsync":  {"testing", "github.com/aws/aws-sdk-go-v2/config", "modernc.org/sqlite", "github.com/pressly/goose"},
		"./lambda/cmd/sso-signins": {"testing", "github.com/aws/aws-sdk-go-v2/config", "modernc.org/sqlite", "github.com/pressly/goose"},
	} {
		for dep := range strings.Lines(string(goList(t, "-deps", pkg))) {
			if dep = strings.TrimSpace(dep); slices.ContainsFunc(without, func(prefix string) bool { return under(dep, prefix) }) {
				t.Errorf("%s compiles %s", pkg, dep)
			}
		}
	}
}

// A rule says which packages of the module may import a path directly.
type rule struct {
	name    string
	prefix  string                // the imported path, or a prefix of it
	tests   bool                  // the rule holds for _test.go files too
	allowed func(pkg string) bool // pkg is relative to the module: "sso", "internal/jose"
}

func only(packages ...string) func(string) bool {
	return func(pkg string) bool { return slices.Contains(packages, pkg) }
}

var rules = []rule{
	{
		name:   "only internal/jose imports jwx",
		prefix: "github.com/lestrrat-go/jwx", tests: true,
		allowed: only("internal/jose"),
	},
	{
		name:    "ssotest shares no code with the verifier",
		prefix:  module + "/internal",
		allowed: func(pkg string) bool { return !under(pkg, "sso/ssotest") },
	},
	{
		name:    "only tests drive a browser",
		prefix:  "github.com/chromedp",
		allowed: only("internal/browsertest"),
	},
	{
		name:    "only tests and test suites import testing",
		prefix:  "testing",
		allowed: func(pkg string) bool { return strings.HasSuffix(pkg, "test") && pkg != "sso/ssotest" },
	},
	{
		name:   "only tests and test suites, the examples and commands run the fake pool",
		prefix: module + "/sso/ssotest",
		allowed: func(pkg string) bool {
			return under(pkg, "examples") || under(pkg, "sso/ssotest") || under(pkg, "lambda/cmd") || pkg == "middleware/storetest" ||
				pkg == "internal/fleettest"
		},
	},
	{
		name:    "only sso/ssootel imports OpenTelemetry",
		prefix:  "go.opentelemetry.io",
		allowed: only("sso/ssootel"),
	},
	{
		name:    "OpenTelemetry's SDK is the app's choice",
		prefix:  "go.opentelemetry.io/otel/sdk",
		allowed: only(),
	},
	{
		name:    "only tests start a browser",
		prefix:  module + "/internal/browsertest",
		allowed: only(),
	},
}

// A listed package, as go list -json prints it.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func listAll(t *testing.T) []listed {
	t.Helper()
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(goList(t, "-json=ImportPath,Imports,TestImports,XTestImports", "./..."))))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// broken returns the imports of p that r forbids.
func (r rule) broken(p listed) []string {
	if r.allowed(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")) {
		return nil
	}
	imports := slices.Clone(p.Imports)
	if r.tests {
		imports = slices.Concat(imports, p.TestImports, p.XTestImports)
	}
	return slices.DeleteFunc(imports, func(path string) bool { return !under(path, r.prefix) })
}

func TestWhoImportsWhat(t *testing.T) {
	t.Parallel()
	packages := listAll(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, p := range packages {
				if bad := r.broken(p); len(bad) > 0 {
					t.Errorf("%s imports %s", p.ImportPath, strings.Join(bad, ", "))
				}
			}
		})
	}
}

func TestRulesCanFail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		rule int
		pkg  listed
		want int
	}{
		{"jwx elsewhere", 0, listed{ImportPath: module + "/sso", Imports: []string{"github.com/lestrrat-go/jwx/v2/jwk"}}, 1},
		{"jwx in a test", 0, listed{ImportPath: module + "/sso", XTestImports: []string{"github.com/lestrrat-go/jwx/v2/jwk"}}, 1},
		{"jwx in internal/jose", 0, listed{ImportPath: module + "/internal/jose", Imports: []string{"github.com/lestrrat-go/jwx/v2/jwk"}}, 0},
		{"a name that only begins alike", 0, listed{ImportPath: module + "/sso", Imports: []string{"github.com/lestrrat-go/jwxtra"}}, 0},
		{"the fake with the verifier's code", 1, listed{ImportPath: module + "/sso/ssotest", Imports: []string{module + "/internal/jose"}}, 1},
		{"a browser in a program", 2, listed{ImportPath: module + "/examples/quickstart", Imports: []string{"github.com/chromedp/chromedp"}}, 1},
		{"a browser in its own package", 2, listed{ImportPath: module + "/internal/browsertest", Imports: []string{"github.com/chromedp/chromedp"}}, 0},
		{"a browser in a test", 2, listed{ImportPath: module + "/examples/quickstart", TestImports: []string{"github.com/chromedp/chromedp"}}, 0},
		{"testing in a library", 3, listed{ImportPath: module + "/middleware", Imports: []string{"testing"}}, 1},
		{"testing in ssotest", 3, listed{ImportPath: module + "/sso/ssotest", Imports: []string{"testing"}}, 1},
		{"OpenTelemetry in sso", 5, listed{ImportPath: module + "/sso", Imports: []string{"go.opentelemetry.io/otel/metric"}}, 1},
		{"OpenTelemetry in ssootel", 5, listed{ImportPath: module + "/sso/ssootel", Imports: []string{"go.opentelemetry.io/otel/metric"}}, 0},
		{"the SDK in ssootel", 6, listed{ImportPath: module + "/sso/ssootel", Imports: []string{"go.opentelemetry.io/otel/sdk/metric"}}, 1},
		{"the SDK in a test", 6, listed{ImportPath: module + "/sso/ssootel", XTestImports: []string{"go.opentelemetry.io/otel/sdk/metric"}}, 0},
		{"starting a browser in a program", 7, listed{ImportPath: module + "/examples/quickstart", Imports: []string{module + "/internal/browsertest"}}, 1},
		{"testing in a suite", 3, listed{ImportPath: module + "/middleware/storetest", Imports: []string{"testing"}}, 0},
	} {
		if got := len(rules[row.rule].broken(row.pkg)); got != row.want {
			t.Errorf("%s: %d imports refused, want %d", row.name, got, row.want)
		}
	}
}

const app = `package main

import (
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func main() {
	v, err := sso.NewVerifier(sso.Config{})
	if err == nil {
		_, _ = middleware.NewBearer(v, middleware.BearerConfig{})
	}
}
`

// An app made as the README says builds, and go mod tidy puts nothing heavy
// into its go.mod and go.sum.
func TestAppOfTheReadme(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	replace := "replace " + module + " => "
	if !strings.Contains(string(readme), "\n"+replace+"../cognito-sso\n") {
		t.Errorf("the README does not show the line %q", replace+"../cognito-sso")
	}

	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.test/app\n\ngo 1.26.0\n\n"+replace+strconv.Quote(root)+"\n")
	write("main.go", app)
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-o", os.DevNull, "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) > 0 && slices.ContainsFunc(heavy, func(prefix string) bool { return under(fields[0], prefix) }) {
				t.Errorf("%s of an app has %s", name, fields[0])
			}
		}
	}
}
