package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/calls"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/policy"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

// counts are what make check-deploy ends with.
type counts struct {
	mu           sync.Mutex // guards the rest
	errors       int
	unexplained  string
	caught, made int
	reachability string
}

// wrong counts an error, and fails the test.
func (c *counts) wrong(t *testing.T, format string, args ...any) {
	t.Helper()
	c.mu.Lock()
	c.errors++
	c.mu.Unlock()
	t.Errorf(format, args...)
}

func TestMain(m *testing.M) { functiontest.Main(m) }

// parts are all there is to check, in this order.
var parts = []struct {
	name string
	run  func(*testing.T, *counts)
}{
	{"policies", policies}, {"reachability", reachability}, {"mutations", mutations}, {"programs", start}, {"validators", validators},
}

// TestCommand is make check-deploy.
func TestCommand(t *testing.T) { //nolint:paralleltest // its parts are the other tests, one after the other
	if os.Getenv("DEPLOY_REPORT") == "" {
		t.Skip("it runs the other tests once more, for make check-deploy")
	}
	c := &counts{unexplained: "not-run", reachability: "not-run"}
	for _, p := range parts {
		if !t.Run(p.name, func(t *testing.T) { p.run(t, c) }) && c.errors == 0 {
			c.errors++ // it failed without a word
		}
	}
	fmt.Printf("DEPLOY errors=%d unexplained_suppressions=%s mutations_caught=%d/%d reachability=%s\n",
		c.errors, c.unexplained, c.caught, c.made, c.reachability)
}

func load(t *testing.T) (*variant.File, template.Set) {
	t.Helper()
	f, err := variant.Read("variants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := template.Load("templates")
	if err != nil {
		t.Fatal(err)
	}
	return f, set
}

// folder is the package of a program.
func folder(program string) string { return filepath.Join("..", "cmd", "sso-"+program) }

var programs = []string{"trigger", "dbsync", "signins"}

// operations are what each program can call, out of the programs themselves.
func operations(t *testing.T) policy.Calls {
	t.Helper()
	out := policy.Calls{}
	for _, p := range programs {
		found, err := calls.Of(t.Context(), functiontest.Build(t, "./"+folder(p)))
		if err != nil {
			t.Fatal(err)
		}
		out[p] = found
	}
	return out
}

func sentences(found []policy.Finding) string {
	var out strings.Builder
	for _, f := range found {
		fmt.Fprintf(&out, "\n  %s: %s: %s", f.Variant, f.Check, f.Text)
	}
	return out.String()
}
