package deploy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

func TestValidators(t *testing.T) {
	t.Parallel()
	needsNode(t)
	validators(t, &counts{})
}

// needsNode skips where the packages are not installed, unless the environment
// says that nothing may be missing.
func needsNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("node", "node_modules", "cdk-nag", "package.json"))
	}
	switch {
	case err == nil:
	case os.Getenv("SSO_REQUIRE_REAL") == "1":
		t.Fatalf("%v (cd lambda/deploy/node && npm ci --ignore-scripts)", err)
	default:
		t.Skipf("%v (cd lambda/deploy/node && npm ci --ignore-scripts)", err)
	}
}

// suppression says why a finding stays.
type suppression struct {
	Tool     string
	Rule     string
	Stack    string // a pattern, without the variant; "" is any
	Resource string // a pattern; "" is any
	Message  string // a pattern; "" is any
	Reason   string
}

// covers: the patterns are of the whole word.
func (s suppression) covers(f found) bool {
	return s.Tool == f.Tool && s.Rule == strings.TrimSpace(f.Rule) && whole(s.Stack, f.Stack[strings.Index(f.Stack, ": ")+2:]) && whole(s.Resource, f.Resource) && whole(s.Message, f.Message)
}

func whole(pattern, word string) bool {
	return pattern == "" || regexp.MustCompile("^(?:"+pattern+")$").MatchString(word)
}

type found struct{ Tool, Stack, Rule, Resource, Severity, Message string }

// validators runs both tools over every stack of every variant. A finding
// without a suppression is an error; a suppression without a reason, or that
// covers nothing any more, is not explained.
func validators(t *testing.T, c *counts) {
	reasons := suppressions(t)
	used := make([]bool, len(reasons))
	said := map[string]bool{}
	for _, f := range findings(t, stacks(t)) {
		covered := false
		for i, s := range reasons {
			if s.covers(f) {
				covered, used[i] = true, true
			}
		}
		text := fmt.Sprintf("%s: %s: %s %s: %s", f.Tool, f.Rule, f.Stack, f.Resource, f.Message)
		if !covered && !said[text] {
			said[text] = true
			c.wrong(t, "%s", text)
		}
	}
	unexplained := 0
	for i, s := range reasons {
		if len(strings.Fields(s.Reason)) < 4 || !used[i] {
			unexplained++
			c.wrong(t, "suppression of %s %s %s: no reason, or nothing that it covers", s.Rule, s.Stack, s.Resource)
		}
	}
	c.unexplained = strconv.Itoa(unexplained)
}

func suppressions(t *testing.T) []suppression {
	t.Helper()
	raw, err := os.ReadFile("suppressions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	var out []suppression
	if err := decoder.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// job is a stack as check.mjs reads it.
type job struct {
	Stack      string            `json:"stack"`
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters"`
	Flat       json.RawMessage   `json:"flat"`
	Region     string            `json:"region"`
	Account    string            `json:"account"`
}

func stacks(t *testing.T) []job {
	t.Helper()
	f, set := load(t)
	var out []job
	seen := map[string]bool{}
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.All() {
			if j := jobOf(t, set, d, s); !seen[j.key()] {
				seen[j.key()] = true
				out = append(out, j)
			}
		}
	}
	return out
}

// key: the same stack in two variants is looked at once.
func (j job) key() string {
	parts := []string{j.Template}
	for _, k := range slices.Sorted(maps.Keys(j.Parameters)) {
		parts = append(parts, k+"="+j.Parameters[k])
	}
	return strings.Join(parts, "\n")
}

func jobOf(t *testing.T, set template.Set, d *variant.Deployment, s *template.Stack) job {
	t.Helper()
	flat, err := template.Flatten(set, s)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join("templates", s.Template+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	j := job{Stack: d.Name + ": " + s.Name, Template: path, Parameters: map[string]string{}, Region: s.Where.Region, Account: s.Where.Account}
	for k, v := range s.Parameters {
		if list, ok := v.([]any); ok {
			words := make([]string, len(list))
			for i, w := range list {
				words[i] = fmt.Sprint(w)
			}
			v = strings.Join(words, ",")
		}
		j.Parameters[k] = asAWS(d, fmt.Sprint(v))
	}
	raw, err := json.Marshal(flat)
	if err != nil {
		t.Fatal(err)
	}
	j.Flat = json.RawMessage(asAWS(d, string(raw)))
	return j
}

// made are the kinds whose ids AWS makes, with how these begin.
var made = map[string]string{"AWS::EC2::SecurityGroup": "sg", "AWS::EC2::Subnet": "subnet", "AWS::EC2::VPC": "vpc", "AWS::EC2::VPCPeeringConnection": "pcx"}

// asAWS puts ids of AWS's form in the place of names, which are easier to read
// but refused by the validator.
func asAWS(d *variant.Deployment, s string) string {
	for _, key := range d.Of("AWS::KMS::Key") {
		s = strings.ReplaceAll(s, "key/"+key.ID, "key/11111111-2222-4333-8444-555555555555")
	}
	ids := map[string]string{}
	for kind, prefix := range made {
		for _, r := range d.Of(kind) {
			ids[r.ID] = prefix
		}
	}
	for vpc, v := range d.File.World.VPCs {
		ids[vpc] = "vpc"
		for kind, names := range map[string][]string{"subnet": slices.Collect(maps.Keys(v.Subnets)), "rtb": slices.Collect(maps.Keys(v.RouteTables)), "sg": slices.Collect(maps.Keys(v.Groups))} {
			for _, name := range names {
				ids[name] = kind
			}
		}
	}
	for name, prefix := range ids {
		s = regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).ReplaceAllString(s, fmt.Sprintf("%s-%017x", prefix, sha256.Sum256([]byte(name)))[:len(prefix)+18])
	}
	return s
}

func findings(t *testing.T, jobs []job) []found {
	t.Helper()
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("node", "check.mjs"))
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaints
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("check.mjs: %v\n%s", err, complaints.String())
	}
	var out struct {
		Findings []found
		Rules    int
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if out.Rules < 100 {
		t.Fatalf("the validator has %d rules only", out.Rules)
	}
	return out.Findings
}
