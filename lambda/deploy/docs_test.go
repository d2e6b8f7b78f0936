package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

var docs = filepath.Join("..", "..", "docs")

func page(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Who is woken by an alarm finds it in docs/operations.md, and nothing there is
// of an alarm that is no more. The same for the widgets of the dashboard.
func TestOperationsNamesEveryAlarm(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	d, err := f.Evaluate(set, "split-postgres")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, a := range d.Of("AWS::CloudWatch::Alarm") {
		name, _ := a.Properties["AlarmName"].(string)
		want[name] = true
	}
	text := page(t, "operations.md")
	sections := alarmSections(text)
	got := map[string]bool{}
	for name, section := range sections {
		got[name] = true
		if len(strings.Fields(section)) < 25 {
			t.Errorf("%s: nobody learns what to do from %q", name, section)
		}
	}
	if len(want) < 10 || !maps.Equal(got, want) {
		t.Errorf("the page has\n%v, the templates\n%v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	widgets := 0
	for _, b := range d.Of("AWS::CloudWatch::Dashboard") {
		body, _ := b.Properties["DashboardBody"].(string)
		for _, m := range regexp.MustCompile(`"title":"([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if widgets++; !strings.Contains(text, "\n| "+m[1]+" | ") {
				t.Errorf("the dashboard's %q is not on the page", m[1])
			}
		}
	}
	if widgets < 5 {
		t.Errorf("%d widgets", widgets)
	}
}

// alarmSections are the texts below headings that are an alarm's name.
func alarmSections(text string) map[string]string {
	out := map[string]string{}
	for _, part := range strings.Split(text, "\n#")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		if name, ok := strings.CutPrefix(heading, "## `"); ok {
			out[strings.TrimSuffix(name, "`")] = body
		}
	}
	return out
}

// The page explains each word that a log line may give as reason.
func TestOperationsExplainsEveryReason(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(page(t, "operations.md"), "| `reason` |")
	table, _, _ = strings.Cut(table, "\n\n")
	reasons := append([]lambda.Reason{"other", "extra_claims_refused"}, lambda.Reasons()...)
	for _, r := range reasons {
		if !strings.Contains(table, "`"+string(r)+"`") {
			t.Errorf("%s is not explained", r)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(table, -1) {
		if !slices.Contains(reasons, lambda.Reason(m[1])) {
			t.Errorf("%s is no reason", m[1])
		}
	}
}

var (
	shell    = regexp.MustCompile("(?s)```sh[^\n]*\n(.*?)```")
	longFlag = regexp.MustCompile(`--[a-z-]+`)
)

// commands are the command lines of a page's shell blocks and of its code in
// running text that begin with a program, without comments.
func commands(text, program string) []string {
	var lines []string
	for _, m := range shell.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.ReplaceAll(m[1], "\\\n", " "), "\n")...)
	}
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	var out []string
	for _, line := range lines {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimPrefix(strings.TrimSpace(line), "dist/")
		if strings.HasPrefix(line, program+" ") {
			out = append(out, line)
		}
	}
	return out
}

// Every command of ssoctl and of deploy that the pages name is there, with the
// flags that they name.
func TestDocsCommandsExist(t *testing.T) {
	t.Parallel()
	realtest.Need(t, "bash")
	ssoctl := functiontest.Build(t, filepath.Join("..", "cmd", "ssoctl"))
	usage, err := exec.CommandContext(t.Context(), "./deploy", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range []string{"deploy.md", "operations.md"} {
		for _, line := range commands(page(t, name), "ssoctl") {
			words := strings.Fields(line)[1:]
			for i, w := range words {
				if strings.HasPrefix(w, "-") || strings.HasPrefix(w, ">") {
					words = words[:i]
					break
				}
			}
			help, err := exec.CommandContext(t.Context(), ssoctl, append([]string{"help"}, words...)...).CombinedOutput() //nolint:gosec // our own
			if err != nil {
				t.Errorf("%s: %s: %v", name, line, err)
			}
			seen += checkFlags(t, name, line, string(help))
		}
		for _, line := range commands(page(t, name), "lambda/deploy/deploy") {
			if what := strings.Fields(line)[1]; !strings.Contains(string(usage), "  deploy "+what+" ") {
				t.Errorf("%s: %s: there is no %s", name, line, what)
			}
			seen += checkFlags(t, name, line, string(usage))
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func checkFlags(t *testing.T, page, line, help string) int {
	t.Helper()
	for _, flag := range longFlag.FindAllString(line, -1) {
		if !regexp.MustCompile(regexp.QuoteMeta(flag) + `\b[^-]`).MatchString(help) {
			t.Errorf("%s: %s: there is no %s", page, line, flag)
		}
	}
	return 1
}

// Links within the repository lead somewhere, to the heading too.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, name := range []string{"deploy.md", "operations.md"} {
		for _, m := range link.FindAllStringSubmatch(page(t, name), -1) {
			target := filepath.Join(docs, m[1])
			if m[1] == "" {
				target = filepath.Join(docs, name)
			}
			raw, err := os.ReadFile(target) //nolint:gosec // a page of ours
			if info, serr := os.Stat(target); serr == nil && info.IsDir() {
				raw, err = os.ReadFile(filepath.Join(target, "README.md")) //nolint:gosec // a page of ours
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if m[2] != "" && !slices.Contains(anchors(string(raw)), m[2]) {
				t.Errorf("%s: %s has no %s", name, target, m[2])
			}
		}
	}
}

func anchors(text string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, "#"+strings.ReplaceAll(plain, " ", "-"))
	}
	return out
}

// The file to begin with passes, as it is.
func TestDeployExampleParameters(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	raw, err := os.ReadFile("deploy.parameters.json")
	d.must(err)
	d.write("parameters.json", string(raw))
	if got := d.run(system + " --dry-run"); got != 0 {
		t.Errorf("exit %d\n%s", got, d.says)
	}
}
