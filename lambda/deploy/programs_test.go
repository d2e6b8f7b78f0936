package deploy_test

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

func TestProgramsStart(t *testing.T) {
	t.Parallel()
	start(t, &counts{})
}

const warmup = `{"warmup":true}`

// start runs every function of every variant, out of the archive, with the
// environment that the template sets. Added is only what Lambda itself adds or
// the archive holds: the authorities of RDS are not in the repository, and AWS
// is not here.
func start(t *testing.T, c *counts) {
	programs := unpacked(t)
	for _, f := range environments(t) {
		t.Run(f.variant+"/"+f.program, func(t *testing.T) {
			running := functiontest.Run(t, programs[f.program], append(f.env, archive(f.env)...)...)
			a, err := running.Invoke(t.Context(), []byte(warmup))
			if err != nil || a.FunctionError != "" {
				c.wrong(t, "it does not start: %s, %v\n%s", a.Payload, err, running.Log())
			}
			if log := running.Log(); strings.Contains(log, `"level":"WARN"`) || strings.Contains(log, `"level":"ERROR"`) {
				c.wrong(t, "it complains: %s", log)
			}
		})
	}
}

// unpacked are the programs out of archives that make lambdas makes, for this
// machine; where Lambda's would not run, the same programs built for it.
func unpacked(t *testing.T) map[string]string {
	t.Helper()
	out, dir := map[string]string{}, t.TempDir()
	if runtime.GOOS != "linux" {
		for _, p := range programs {
			out[p] = functiontest.Build(t, "./"+folder(p))
		}
		return out
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/lambdazip", "-out", dir, "-machine", runtime.GOARCH) //nolint:gosec // our own
	cmd.Dir = filepath.Join("..", "..")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("lambdazip: %v\n%s", err, said)
	}
	for _, p := range programs {
		out[p] = filepath.Join(dir, p)
		bootstrap(t, filepath.Join(dir, "sso-"+p+"-"+runtime.GOARCH+".zip"), out[p])
	}
	return out
}

// bootstrap writes the program of an archive, with the rights that it has there.
func bootstrap(t *testing.T, archive, path string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	program, err := z.Open("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	info, err := program.Stat()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(program)
	if err == nil {
		// A child that some test starts meanwhile would have the file open too, and
		// Linux does not run a program that somebody may write.
		syscall.ForkLock.RLock()
		err = os.WriteFile(path, content, info.Mode())
		syscall.ForkLock.RUnlock()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// archive is what make lambdas would pack, and an endpoint nobody answers at:
// a start calls nothing.
func archive(env []string) []string {
	out := []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "SSO_DB_HOST=") }) {
		out = append(out, "SSO_DB_CA_FILE=system")
	}
	return out
}

type environment struct {
	variant, program string
	env              []string
}

// environments are those of every function of every variant, each once: a
// start is the same wherever the settings are.
func environments(t *testing.T) []environment {
	t.Helper()
	f, set := load(t)
	seen := map[string]bool{}
	var out []environment
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.Of("AWS::Lambda::Function") {
			e := environment{name, strings.ToLower(r.LogicalID), variables(r)}
			if key := e.program + strings.Join(e.env, "\n"); !seen[key] {
				seen[key] = true
				out = append(out, e)
			}
		}
	}
	return out
}

func variables(r *template.Resource) []string {
	environment, _ := r.Properties["Environment"].(template.Object)
	all, _ := environment["Variables"].(template.Object)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, fmt.Sprintf("%s=%v", name, all[name]))
	}
	return out
}

// The test above must see a variable that is missing, wrong or misspelt.
func TestProgramsRefuseAnotherEnvironment(t *testing.T) {
	t.Parallel()
	for _, e := range environments(t) {
		if e.variant != "split-postgres" {
			continue
		}
		missing := map[string]string{"trigger": "SSO_SIGNIN_QUEUE_URL", "dbsync": "SSO_DB_USER", "signins": "SSO_DB_HOST"}[e.program]
		without := slices.DeleteFunc(slices.Clone(e.env), func(v string) bool { return strings.HasPrefix(v, missing+"=") })
		functiontest.WantMistakes(t, "./"+folder(e.program), append(without, archive(e.env)...), missing)
	}
}

// The archives that the templates name are those that make lambdas makes.
func TestArchives(t *testing.T) {
	t.Parallel()
	pack, err := os.ReadFile(filepath.Join("..", "..", "internal", "lambdazip", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if !strings.Contains(string(pack), `"sso-`+p+`"`) {
			t.Errorf("make lambdas does not build sso-%s", p)
		}
	}
}
