package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

// desk is somebody at a terminal with the repository, the script and, in place
// of AWS and of what takes long, commands that record their calls.
type desk struct {
	t           *testing.T
	root, fakes string
	answers     []fakeAnswer
	stdin       string
	out, says   string // of the last run
}

type fakeAnswer struct {
	Call, Out, Err string
	Exit           int
	Through        string
}

type fakeCall struct {
	Command string
	Args    []string
	Files   []string
}

func (c fakeCall) String() string { return c.Command + " " + strings.Join(c.Args, " ") }

const (
	setARN    = "arn:aws:cloudformation:ap-northeast-2:111122223333:changeSet/deploy-1/11111111-2222-4333-8444-555555555555"
	nestedARN = "arn:aws:cloudformation:ap-northeast-2:111122223333:changeSet/deploy-1-Identity/66666666-7777-4888-8999-000000000000"

	mainChanges = `{"StackName":"sso","Status":"CREATE_COMPLETE","Changes":[{"Type":"Resource","ResourceChange":{"Action":"Modify","Replacement":"False",
		"LogicalResourceId":"Identity","ResourceType":"AWS::CloudFormation::Stack","ChangeSetId":"` + nestedARN + `"}}]}`
	harmless = `{"StackName":"sso-Identity","Status":"CREATE_COMPLETE","Changes":[{"Type":"Resource","ResourceChange":{"Action":"Modify","Replacement":"False",
		"LogicalResourceId":"UserPool","ResourceType":"AWS::Cognito::UserPool"}}]}`
	queueURL = "https://sqs.ap-northeast-2.amazonaws.com/111122223333/sso-signins"
	noStack  = "\nAn error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id sso does not exist\n"
)

// newDesk has a deployed system with one app, and answers for an update.
func newDesk(t *testing.T) *desk {
	t.Helper()
	bash(t)
	d := &desk{t: t, root: t.TempDir(), fakes: t.TempDir()}
	for _, dir := range []string{"lambda/deploy/node/node_modules", "dist"} {
		d.must(os.MkdirAll(filepath.Join(d.root, dir), 0o750))
	}
	d.write("dist/global-bundle.pem", "authorities")
	d.write("dist/main.yaml", "packaged")
	script, err := os.ReadFile("deploy")
	d.must(err)
	d.must(os.WriteFile(filepath.Join(d.root, "lambda", "deploy", "deploy"), script, 0o700)) //nolint:gosec // it is a program
	templates, err := filepath.Abs("templates")
	d.must(err)
	d.must(os.Symlink(templates, filepath.Join(d.root, "lambda", "deploy", "templates")))
	d.fake("aws", "go", "npm")
	d.write("guard.sh", "#!/bin/sh\nexec cp '"+functiontest.Build(t, "./guard")+"' \"$3\"\n")
	d.must(os.Chmod(filepath.Join(d.root, "guard.sh"), 0o700)) //nolint:gosec // it is a program
	d.parameters(nil)
	d.answers = []fakeAnswer{
		{Call: "go build -o", Through: filepath.Join(d.root, "guard.sh")},
		{Call: "go run ./internal/lambdazip"},
		{Call: "go test"},
		{Call: "aws sts get-caller-identity", Out: "111122223333\n"},
		{Call: "aws s3api head-bucket"},
		{Call: "aws cloudformation package"},
		{Call: "describe-stacks --stack-name sso --query Stacks[0].StackStatus", Out: "UPDATE_COMPLETE\n"},
		{Call: "describe-stacks --stack-name sso-app-portal --query Stacks[0].StackStatus", Out: "CREATE_COMPLETE\n"},
		{Call: "describe-stacks --stack-name sso --query Stacks[0] ", Out: d.stackOf("main", nil)},
		{Call: "describe-stacks --stack-name sso-app-portal --query Stacks[0] ", Out: d.stackOf("client", d.portal())},
		{Call: "describe-stacks --query", Out: "sso-app-portal\n"},
		{Call: "create-change-set", Out: setARN + "\n"},
		{Call: "wait"},
		{Call: "describe-change-set --change-set-name " + setARN + " --output json", Out: mainChanges},
		{Call: "describe-change-set --change-set-name " + nestedARN + " --output json", Out: harmless},
		{Call: "delete-change-set"},
		{Call: "execute-change-set"},
		{Call: "update-termination-protection"},
	}
	return d
}

// bash skips where there is none that the script works with.
func bash(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), "bash", "-c", "shopt -s inherit_errexit && command -v jq").Run()
	switch {
	case err == nil:
	case os.Getenv("SSO_REQUIRE_REAL") == "1":
		t.Fatalf("bash 4.4 and jq: %v", err)
	default:
		t.Skipf("bash 4.4 and jq: %v", err)
	}
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) write(path, content string) {
	d.t.Helper()
	d.must(os.WriteFile(filepath.Join(d.root, path), []byte(content), 0o600))
}

func (d *desk) fake(commands ...string) {
	d.t.Helper()
	program, err := filepath.Abs(functiontest.Build(d.t, "./internal/fakecommand"))
	d.must(err)
	for _, c := range commands {
		d.must(os.Symlink(program, filepath.Join(d.fakes, c)))
	}
}

// answer puts an answer before all others.
func (d *desk) answer(a fakeAnswer) *desk { d.answers = slices.Insert(d.answers, 0, a); return d }

// first makes it the first deployment.
func (d *desk) first() *desk {
	const vpc = "vpc-info.vpc-id,Values=vpc-database"
	return d.answer(fakeAnswer{Call: "describe-stacks --stack-name sso --query Stacks[0].StackStatus", Err: noStack, Exit: 254}).
		answer(fakeAnswer{Call: "ec2 describe-vpcs --vpc-ids vpc-database", Out: "10.20.0.0/16\n"}).
		answer(fakeAnswer{Call: "Name=requester-" + vpc, Out: "10.30.0.0/16\t10.31.0.0/16\n"}).
		answer(fakeAnswer{Call: "Name=accepter-" + vpc, Out: "10.40.0.0/16\n"})
}

// common are parameters of main.yaml that pass.
func (d *desk) common(changed map[string]string) map[string]string {
	f, _ := load(d.t)
	out := map[string]string{"AlarmEmail": "oncall@example.test"}
	for _, more := range []map[string]string{f.Common, changed} {
		for k, v := range more {
			out[k] = v
		}
	}
	return out
}

// parameters writes the person's file.
func (d *desk) parameters(changed map[string]string) *desk {
	d.t.Helper()
	var list []map[string]string
	for k, v := range d.common(changed) {
		list = append(list, map[string]string{"ParameterKey": k, "ParameterValue": v})
	}
	raw, err := json.Marshal(list)
	d.must(err)
	d.write("parameters.json", string(raw))
	return d
}

func (d *desk) portal() map[string]string {
	f, _ := load(d.t)
	deployment, err := f.Evaluate(d.set(), f.Names()[0])
	d.must(err)
	for _, s := range deployment.Stacks {
		if s.Template == "client" && strings.Contains(fmt.Sprint(s.Parameters), "portal") {
			return map[string]string{"Environment": fmt.Sprint(s.Outputs["Environment"]), "ClientId": "abc",
				"ClientSecretArn": "arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:sso/clients/portal-AbCdEf"}
		}
	}
	d.t.Fatal("no portal in variants.yaml")
	return nil
}

func (d *desk) set() template.Set {
	_, set := load(d.t)
	return set
}

// stackOf is what describe-stacks says of a stack; the outputs of main are made
// up.
func (d *desk) stackOf(name string, outputs map[string]string) string {
	d.t.Helper()
	parameters := map[string]string{"AppName": "portal"}
	if name == "main" {
		parameters = map[string]string{"Prefix": "sso", "FeaturePlan": "ESSENTIALS", "Topology": "split", "ProviderColumns": "Kakao=kakao_id,Google=google_id"}
		outputs = map[string]string{"QueueUrl": queueURL, "UserPoolId": "ap-northeast-2_AbCdEfGhI", "Domain": "https://ssu-sso.auth.ap-northeast-2.amazoncognito.com",
			"KeyArn": "arn:aws:kms:ap-northeast-2:111122223333:key/11111111-2222-4333-8444-555555555555"}
	}
	type pair map[string]string
	var out struct{ Parameters, Outputs []pair }
	for k, v := range parameters {
		out.Parameters = append(out.Parameters, pair{"ParameterKey": k, "ParameterValue": v})
	}
	for k, v := range outputs {
		out.Outputs = append(out.Outputs, pair{"OutputKey": k, "OutputValue": v})
	}
	raw, err := json.Marshal(out)
	d.must(err)
	return string(raw)
}

// run runs the script, and returns its exit status.
func (d *desk) run(words string) int {
	d.t.Helper()
	raw, err := json.Marshal(d.answers)
	d.must(err)
	d.must(os.WriteFile(filepath.Join(d.fakes, "answers"), raw, 0o600))
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.root, "lambda", "deploy", "deploy"), strings.Fields(words)...) //nolint:gosec // our own
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "PATH="+d.fakes+":"+os.Getenv("PATH"), "FAKE_COMMANDS="+d.fakes)
	cmd.Stdin = strings.NewReader(d.stdin)
	var out, says bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &says
	err = cmd.Run()
	d.out, d.says = out.String(), says.String()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	if strings.Contains(d.says, "fakecommand:") {
		d.t.Fatal(d.says)
	}
	return cmd.ProcessState.ExitCode()
}

func (d *desk) calls() []fakeCall {
	d.t.Helper()
	raw, err := os.ReadFile(filepath.Join(d.fakes, "calls"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	d.must(err)
	var out []fakeCall
	for line := range strings.Lines(string(raw)) {
		var c fakeCall
		d.must(json.Unmarshal([]byte(line), &c))
		out = append(out, c)
	}
	return out
}

// short are the calls without what follows the words that say which it is.
func (d *desk) short() string {
	var out []string
	for _, c := range d.calls() {
		n := 1
		if c.Command == "aws" {
			n = 2 + len(slices.DeleteFunc(slices.Clone(c.Args[1:2]), func(a string) bool { return a != "wait" }))
		}
		out = append(out, strings.Join(c.Args[:n], " "))
	}
	return strings.NewReplacer("cloudformation ", "", "describe-vpc-peering-connections", "peerings").Replace(strings.Join(out, ", "))
}

const system = "system parameters.json --bucket artifacts"

const (
	checks  = "build, run, test, sts get-caller-identity, describe-stacks, "
	upload  = "s3api head-bucket, package, "
	makeSet = "describe-stacks, create-change-set, wait change-set-create-complete, describe-change-set, describe-change-set, "
	printed = "describe-stacks, describe-stacks, describe-stacks"
)

// The order is the safety: nothing is uploaded before the checks, and nothing
// executed before the guard and the person have seen it.
func TestDeploySystem(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, args, stdin string
		prepare           func(*desk)
		want              int
		calls, says       string
	}{
		{"the first", system + " --yes", "", func(d *desk) { d.first() }, 0,
			checks + "ec2 describe-vpcs, ec2 peerings, ec2 peerings, " + upload + makeSet + "execute-change-set, wait stack-create-complete, update-termination-protection, " + printed, ""},
		{"an update", system, "yes\n", nil, 0, checks + upload + makeSet + "execute-change-set, wait stack-update-complete, " + printed,
			"Make these changes to sso, in account 111122223333, ap-northeast-2? (yes/no)"},
		{"what it shows", system, "yes\n", nil, 0, checks + upload + makeSet + "execute-change-set, wait stack-update-complete, " + printed,
			"sso-Identity Modify AWS::Cognito::UserPool UserPool"},
		{"the answer is no", system, "no\n", nil, 1, checks + upload + makeSet + "delete-change-set", "nothing was changed"},
		{"no answer", system, "", nil, 1, checks + upload + makeSet + "delete-change-set", "nothing was changed"},
		{"y is not yes", system, "y\n", nil, 1, checks + upload + makeSet + "delete-change-set", "nothing was changed"},
		{"the pool would be replaced", system + " --yes", "", func(d *desk) {
			d.answer(fakeAnswer{Call: nestedARN, Out: strings.Replace(harmless, `"False"`, `"True"`, 1)})
		}, 1, checks + upload + makeSet + "delete-change-set", "AWS::Cognito::UserPool UserPool: it would be replaced"},
		{"a provider would go", system + " --yes", "", func(d *desk) {
			d.answer(fakeAnswer{Call: nestedARN, Out: `{"StackName":"x","Changes":[{"ResourceChange":{"Action":"Remove","LogicalResourceId":"Kakao","ResourceType":"AWS::Cognito::UserPoolIdentityProvider"}}]}`})
		}, 1, checks + upload + makeSet + "delete-change-set", "refused"},
		{"the set below cannot be seen", system + " --yes", "", func(d *desk) { d.answer(fakeAnswer{Call: nestedARN, Exit: 254}) },
			1, checks + upload + makeSet + "delete-change-set", "refused"},
		{"the set below is no JSON", system + " --yes", "", func(d *desk) { d.answer(fakeAnswer{Call: nestedARN, Out: "sorry"}) },
			1, checks + upload + makeSet + "delete-change-set", "refused"},
		{"nothing to change", system, "", func(d *desk) {
			d.answer(fakeAnswer{Call: "wait change-set-create-complete", Exit: 255}).
				answer(fakeAnswer{Call: "--query StatusReason", Out: "No updates are to be performed.\n"})
		}, 0, checks + upload + "describe-stacks, create-change-set, wait change-set-create-complete, describe-change-set, delete-change-set, " + printed, "nothing to change"},
		{"no change set", system, "", func(d *desk) {
			d.answer(fakeAnswer{Call: "wait change-set-create-complete", Exit: 255}).
				answer(fakeAnswer{Call: "--query StatusReason", Out: "Template error\n"})
		}, 1, checks + upload + "describe-stacks, create-change-set, wait change-set-create-complete, describe-change-set, delete-change-set", "Template error"},
		{"rolled back", system + " --yes", "", func(d *desk) {
			d.answer(fakeAnswer{Call: "wait stack-update-complete", Exit: 255}).
				answer(fakeAnswer{Call: "describe-stack-events", Out: "Identity\tno such certificate\n"})
		}, 1, checks + upload + makeSet + "execute-change-set, wait stack-update-complete, describe-stack-events", "no such certificate"},
		{"its first deployment failed", system, "", func(d *desk) {
			d.answer(fakeAnswer{Call: "Stacks[0].StackStatus", Out: "ROLLBACK_COMPLETE\n"})
		}, 1, checks + upload + "describe-stacks", "docs/deploy.md"},
		{"busy", system, "", func(d *desk) { d.answer(fakeAnswer{Call: "Stacks[0].StackStatus", Out: "UPDATE_IN_PROGRESS\n"}) },
			1, checks + upload + "describe-stacks", "wait until it is done"},
		// What cannot be seen is not taken for what is not there.
		{"no rights", system, "", func(d *desk) {
			d.answer(fakeAnswer{Call: "Stacks[0].StackStatus", Err: "An error occurred (AccessDenied)\n", Exit: 254})
		}, 1, strings.TrimSuffix(checks, ", "), "AccessDenied"},
		{"no authorities of RDS", system, "", func(d *desk) { d.must(os.Remove(filepath.Join(d.root, "dist", "global-bundle.pem"))) },
			1, "build", "make rds-ca"},
		{"no packages of Node", system + " --yes", "", func(d *desk) {
			d.must(os.Remove(filepath.Join(d.root, "lambda", "deploy", "node", "node_modules")))
			d.answer(fakeAnswer{Call: "npm ci --ignore-scripts", Exit: 1})
		}, 1, "build, run, ci", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.stdin = row.stdin
			if row.prepare != nil {
				row.prepare(d)
			}
			if got := d.run(row.args); got != row.want || d.short() != row.calls || !strings.Contains(d.says, row.says) {
				t.Errorf("exit %d\n%s\n%s\nwant\n%s", got, d.says, d.short(), row.calls)
			}
		})
	}
}

// Whatever step fails, none comes after it.
func TestDeployStopsWhereAStepFails(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"go build", "go run", "go test", "sts get-caller-identity", "describe-vpcs", "Name=requester", "Name=accepter", "head-bucket",
		"cloudformation package", "create-change-set", "describe-change-set", "execute-change-set", "update-termination-protection",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t).first().answer(fakeAnswer{Call: step, Err: "no\n", Exit: 254})
			if got := d.run(system + " --yes"); got == 0 || d.out != "" {
				t.Errorf("exit %d, %q\n%s", got, d.out, d.says)
			}
			calls := d.calls()
			failed := slices.IndexFunc(calls, func(c fakeCall) bool { return strings.Contains(c.String(), step) })
			if failed < 0 {
				t.Fatalf("it was not called: %s", d.short())
			}
			for _, c := range calls[failed+1:] {
				if !strings.Contains(c.String(), "delete-change-set") {
					t.Errorf("afterwards: %s", c)
				}
			}
		})
	}
}

// Networks that overlap, and what the templates' own rules refuse, are found
// before anything is built, and those that AWS knows before anything is
// uploaded.
func TestDeployRefusesParameters(t *testing.T) {
	t.Parallel()
	const early = "build"
	for _, row := range []struct {
		name, args  string
		parameters  map[string]string
		prepare     func(*desk)
		calls, says string
	}{
		{"the database's subnet", system, map[string]string{"VpcCidr": "10.20.10.0/25"}, nil, early, "networks overlap"},
		{"a network that was named", system + " --network 10.90.0.0/16", nil, nil, early, "networks overlap"},
		{"no network", system + " --network 10.90", nil, nil, early, "10.90"},
		{"a rule of the templates", system, map[string]string{"DatabaseUser": ""}, nil, early, "DatabaseAuth=iam needs"},
		{"a secret instead of its ARN", system, map[string]string{"KakaoSecretArn": "hunter2"}, nil, early, "KakaoSecretArn"},
		{"the database's VPC", system, map[string]string{"VpcCidr": "10.20.200.0/24"}, (func(d *desk) { d.first() }),
			checks + "ec2 describe-vpcs, ec2 peerings, ec2 peerings", "networks overlap"},
		{"a peer that it asked", system, map[string]string{"VpcCidr": "10.31.0.0/24"}, (func(d *desk) { d.first() }),
			checks + "ec2 describe-vpcs, ec2 peerings, ec2 peerings", "networks overlap"},
		{"a peer that asked", system, map[string]string{"VpcCidr": "10.40.9.0/24"}, (func(d *desk) { d.first() }),
			checks + "ec2 describe-vpcs, ec2 peerings, ec2 peerings", "networks overlap"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t).parameters(row.parameters)
			if row.prepare != nil {
				row.prepare(d)
			}
			if got := d.run(row.args + " --yes"); got != 1 || d.short() != row.calls || !strings.Contains(d.says, row.says) || strings.Contains(d.says, "hunter2") {
				t.Errorf("exit %d\n%s\n%s\nwant\n%s", got, d.says, d.short(), row.calls)
			}
		})
	}
}

// Whoever may list processes sees arguments: not one has a value of the
// person's parameters, and no secret is fetched.
func TestDeployKeepsCommandLinesClean(t *testing.T) {
	t.Parallel()
	d := newDesk(t).first()
	for _, words := range []string{system + " --yes", "app portal --yes --callback https://portal.example.test/auth/callback --logout https://portal.example.test/"} {
		if got := d.run(words); got != 0 {
			t.Fatalf("%s: exit %d\n%s", words, got, d.says)
		}
	}
	values := d.common(nil)
	for _, c := range d.calls() {
		if strings.HasPrefix(c.String(), "aws secretsmanager") {
			t.Errorf("it fetches a secret: %s", c)
		}
		if i := slices.Index(c.Args, "--parameters"); i >= 0 && !strings.HasPrefix(c.Args[i+1], "file://") {
			t.Errorf("parameters among the arguments: %s", c)
		}
		for key, v := range values {
			if len(v) > 8 && strings.Contains(c.String(), v) && key != "DatabaseVpcId" {
				t.Errorf("%s is an argument: %s", key, c)
			}
		}
	}
}

// A dry run checks and builds, and never calls AWS.
func TestDeployDryRun(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, args, calls, says string }{
		{"the system", system, "build, run, test", "would run: aws cloudformation execute-change-set"},
		{"an app", "app portal --callback https://a.test/cb --logout https://a.test/", "build", "would run: aws cloudformation create-change-set --stack-name sso-app-portal"},
		{"a group", "group staff", "build", "would run: aws cloudformation create-change-set --stack-name sso-group-staff"},
		{"the environment", "environment portal", "", "would run: aws cloudformation describe-stacks --stack-name sso-app-portal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if got := d.run(row.args + " --dry-run"); got != 0 || d.short() != row.calls || !strings.Contains(d.says, row.says) {
				t.Errorf("exit %d\n%s\n%s", got, d.says, d.short())
			}
		})
	}
}

// The dry run as somebody types it, with the real Go and Node.
func TestDeployDryRunForReal(t *testing.T) {
	t.Parallel()
	needsNode(t)
	d := newDesk(t)
	d.must(os.Remove(filepath.Join(d.fakes, "go")))
	script, err := filepath.Abs("deploy")
	d.must(err)
	cmd := exec.CommandContext(t.Context(), script, "system", "parameters.json", "--bucket", "artifacts", "--dry-run") //nolint:gosec // our own
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "PATH="+d.fakes+":"+os.Getenv("PATH"), "FAKE_COMMANDS="+d.fakes)
	out, err := cmd.CombinedOutput()
	if err != nil || len(d.calls()) != 0 {
		t.Fatalf("%v, %v\n%s", err, d.calls(), out)
	}
	for _, want := range []string{"dist/sso-trigger-arm64.zip", "lambda/deploy", "would run: aws cloudformation package", "would judge and show it"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

const app = "app portal --callback https://portal.example.test/auth/callback,http://localhost:8080/auth/callback --logout https://portal.example.test/ --yes"

func TestDeployApp(t *testing.T) {
	t.Parallel()
	const below = "build, describe-stacks, describe-stacks, create-change-set, wait change-set-create-complete, describe-change-set, describe-change-set, "
	for _, row := range []struct {
		name, args  string
		prepare     func(*desk)
		want        int
		calls, says string
	}{
		{"an app again", app, nil, 0, below + "execute-change-set, wait stack-update-complete, describe-stacks", ""},
		{"a new app", app, func(d *desk) {
			d.answer(fakeAnswer{Call: "sso-app-portal --query Stacks[0].StackStatus", Err: noStack, Exit: 254})
		}, 0, below + "execute-change-set, wait stack-create-complete, update-termination-protection, describe-stacks", ""},
		{"a client that would be replaced", app, func(d *desk) {
			d.answer(fakeAnswer{Call: nestedARN, Out: strings.NewReplacer(`"False"`, `"True"`, "UserPool\"", "UserPoolClient\"").Replace(harmless)})
		}, 1, below + "delete-change-set", "AWS::Cognito::UserPoolClient"},
		{"no system", app, func(d *desk) {
			d.answer(fakeAnswer{Call: "Stacks[0] ", Err: noStack, Exit: 254})
		}, 254, "build, describe-stacks", "does not exist"},
		{"another stack", app, func(d *desk) {
			d.answer(fakeAnswer{Call: "Stacks[0] ", Out: `{"Parameters":[{"ParameterKey":"Prefix","ParameterValue":"x"}]}`})
		}, 1, "build, describe-stacks", "the stack has no FeaturePlan"},
		{"a group", "group teaching_staff --yes", func(d *desk) {
			d.answer(fakeAnswer{Call: "sso-group-teaching-staff --query Stacks[0].StackStatus", Err: noStack, Exit: 254})
		}, 0, below + "execute-change-set, wait stack-create-complete, update-termination-protection", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if row.prepare != nil {
				row.prepare(d)
			}
			if got := d.run(row.args); got != row.want || d.short() != row.calls || !strings.Contains(d.says, row.says) {
				t.Errorf("exit %d\n%s\n%s\nwant\n%s", got, d.says, d.short(), row.calls)
			}
		})
	}
}

// What the script hands to the templates is what they take, with the system's
// own values.
func TestDeployHandsOn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args, template string
		want           map[string]string
	}{
		{app, "client", map[string]string{"AppName": "portal", "UserPoolId": "ap-northeast-2_AbCdEfGhI", "FeaturePlan": "ESSENTIALS", "Confidential": "yes", "Providers": "Kakao,Google",
			"CallbackUrls": "https://portal.example.test/auth/callback,http://localhost:8080/auth/callback"}},
		{app + " --public --providers Kakao", "client", map[string]string{"Confidential": "no", "Providers": "Kakao"}},
		{"group staff --yes", "group", map[string]string{"GroupName": "staff", "UserPoolId": "ap-northeast-2_AbCdEfGhI"}},
	} {
		d := newDesk(t).answer(fakeAnswer{Call: "Stacks[0].StackStatus", Out: "CREATE_COMPLETE\n"})
		if got := d.run(row.args); got != 0 {
			t.Fatalf("%s: exit %d\n%s", row.args, got, d.says)
		}
		calls := d.calls()
		made := calls[slices.IndexFunc(calls, func(c fakeCall) bool { return strings.Contains(c.String(), "create-change-set") })]
		var list []struct{ ParameterKey, ParameterValue string }
		d.must(json.Unmarshal([]byte(made.Files[1]), &list))
		given := map[string]string{}
		for _, p := range list {
			given[p.ParameterKey] = p.ParameterValue
		}
		for k, v := range row.want {
			if given[k] != v {
				t.Errorf("%s: %s is %q, want %q", row.args, k, given[k], v)
			}
		}
		if _, err := template.Evaluate(d.set(), row.template, given, template.Where{Account: "111122223333", Region: "ap-northeast-2"}); err != nil {
			t.Errorf("%s: %v", row.args, err)
		}
		if want, err := os.ReadFile(filepath.Join("templates", row.template+".yaml")); err != nil || made.Files[0] != string(want) {
			t.Errorf("%s: another template, %v", row.args, err)
		}
	}
}

// Standard output is an environment that an app starts with as it is.
func TestDeployPrintsTheEnvironment(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if got := d.run("environment portal"); got != 0 {
		t.Fatalf("exit %d\n%s", got, d.says)
	}
	var env []string
	for line := range strings.Lines(d.out) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	if _, err := startApp(env); err != nil {
		t.Errorf("%v: %v", env, err)
	}
	if !strings.Contains(d.out, "# SSO_CLIENT_SECRET") || !strings.Contains(d.out, "secret:sso/clients/portal") {
		t.Errorf("it does not say where the secret is: %s", d.out)
	}
	const tool = "# ssoctl\nSSO_USER_POOL_ID=ap-northeast-2_AbCdEfGhI\nSSO_SIGNIN_QUEUE_URL=" + queueURL + "\nSSO_PROVIDERS=Kakao,Google\n" +
		"SSO_STORE=remote\nSSO_DBSYNC_FUNCTION=sso-dbsync\nSSO_PROVIDER_COLUMNS=Kakao=kakao_id,Google=google_id\n"
	if got := d.run("environment"); got != 0 || !strings.HasPrefix(d.out, tool) || !strings.Contains(d.out, "# portal\nSSO_") {
		t.Errorf("exit %d, %s", got, d.out)
	}
	if got := d.run("environment ssoctl"); got != 0 || d.out != tool {
		t.Errorf("exit %d, %s", got, d.out)
	}
	d.answer(fakeAnswer{Call: "sso --query Stacks[0] ", Out: strings.Replace(d.stackOf("main", nil), `"split"`, `"nat"`, 1)})
	if got := d.run("environment ssoctl"); got != 0 || strings.Contains(d.out, "dbsync") {
		t.Errorf("without sso-dbsync: exit %d, %s", got, d.out)
	}
}

// A wrong command line ends with 2, and nothing is called.
func TestDeployCommandLine(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"", "pool", "system", "system parameters.json", "system nowhere.json --bucket b", "system parameters.json --bucket", "system a b c", "--what",
		"app", "app Portal --callback https://a.test/cb --logout https://a.test/", "app portal --logout https://a.test/", "app portal --callback https://a.test/cb",
		"app portal --callback http://a.test/cb --logout https://a.test/", "app portal --callback https://a.test/* --logout https://a.test/",
		"app portal --callback https://a.test/#x --logout https://a.test/", "app portal --callback http://localhost.evil.test/cb --logout https://a.test/",
		"app portal --callback my.app://cb --logout https://a.test/", "app portal --callback a.test --logout https://a.test/",
		"app ssoctl --callback https://a.test/cb --logout https://a.test/", "group", "group 1a", "environment portal --stack a_b",
	} {
		d := newDesk(t)
		if got := d.run(args); got != 2 || len(d.calls()) != 0 || d.says == "" {
			t.Errorf("%q: exit %d, %s\n%s", args, got, d.short(), d.says)
		}
	}
	d := newDesk(t)
	if got := d.run("--help"); got != 0 || !strings.Contains(d.out, "Usage:") {
		t.Errorf("--help: %d", got)
	}
}
