package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const boardURL = "https://board.example.ac.kr"

// sound is a pool with which all is well.
func sound() ssotest.Config {
	t := ssotest.All(ssotest.TriggerFunc(nil))
	t.PreAuthentication, t.PreTokenGenerationVersion = nil, "V2_0"
	return ssotest.Config{
		ID: "ap-northeast-2_Doctor", Triggers: t, DeletionProtection: true, AdminCreateUserOnly: true,
		Clients: []ssotest.Client{{
			ClientID: "board", ClientSecret: "verysecret", CallbackURLs: []string{boardURL + "/auth/callback"}, LogoutURLs: []string{boardURL + "/"},
			SupportedIdentityProviders: []string{"Kakao", "Google"}, AllowedOAuthScopes: []string{"openid", "email", "profile"},
			ExplicitAuthFlows: []string{"ALLOW_REFRESH_TOKEN_AUTH"}, PreventUserExistenceErrors: true,
			ReadAttributes: []string{"custom:userId", "email", "name"}, WriteAttributes: []string{"email", "name"},
		}},
	}
}

// doctored is a world whose pool is as change leaves it.
func doctored(t *testing.T, change func(*ssotest.Config)) *world {
	t.Helper()
	cfg := sound()
	if change != nil {
		change(&cfg)
	}
	w := newWorld(t)
	before := w.pool
	w.pool = ssotest.NewPool(t, cfg)
	for i, v := range w.env {
		v = strings.ReplaceAll(v, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="+before.URL(), "AWS_ENDPOINT_URL="+w.pool.URL())
		w.env[i] = strings.ReplaceAll(v, before.ID(), w.pool.ID())
	}
	w.env = append(w.env, "SSO_JWKS_URL="+w.pool.JWKSURL(), "SSO_ISSUERS="+w.pool.Issuer(), "SSO_INSECURE_ALLOW_HTTP=true")
	return w
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	w := doctored(t, nil)
	r := w.run(t, "doctor")
	for _, want := range []string{"Pool ap-northeast-2_Doctor, plan ESSENTIALS: 1 client, 2 providers, 4 functions", "All that was looked at is as it must be.",
		"not looked at: no address of the queue (--queue-url)", "not looked at: not asked for (--with-database)"} {
		if r.status != ok || r.err != "" || !strings.Contains(r.out, want) {
			t.Errorf("%q: %+v", want, r)
		}
	}
	for name, row := range map[string]struct {
		pool   func(*ssotest.Config)
		args   []string
		status int
		want   []string
	}{
		"error": {func(c *ssotest.Config) { c.Clients[0].WriteAttributes = []string{"email", "name", "custom:userId"} }, nil, drift,
			[]string{"USER ID ATTRIBUTE\n  error    attribute_writable  board\n", "Why: A user can give himself", "Fix: Take the attribute out", "In the templates: client.yaml", "It is not as it must be: 1 error."}},
		"warning": {func(c *ssotest.Config) { c.DeletionProtection = false }, nil, drift, []string{"warning  deletion_unguarded\n", "1 warning."}},
		"notice":  {localhost, nil, ok, []string{"notice   url_localhost  board\n", "All that was looked at"}},
		"strict":  {localhost, []string{"--strict"}, drift, []string{"It is not as it must be: 1 notice."}},
		"a foreign URL": {nil, []string{"--client", "board", "--base-url", "https://desk.example.ac.kr"}, drift,
			[]string{"url_foreign", "is not below https://desk.example.ac.kr", "2 errors, 2 warnings"}},
		"the app's URL":      {nil, []string{"-client", "board", "-base-url", boardURL}, ok, []string{"as it must be."}},
		"the app's URL, too": {nil, []string{"--base-url", "board=" + boardURL}, ok, []string{"as it must be."}},
		"no such client":     {nil, []string{"--client", "gone"}, drift, []string{"client_missing  gone"}},
		"ID tokens only": {func(c *ssotest.Config) { c.Tier, c.Triggers.PreTokenGenerationVersion = "LITE", "V1_0" },
			[]string{"--id-token-only"}, ok, []string{"plan LITE"}},
		"no functions": {func(c *ssotest.Config) {
			c.OnDescribe = func(name string, a map[string]any) {
				if name == "GetPolicy" {
					a["Policy"] = `{}`
				}
			}
		}, []string{"--skip-functions"}, ok, []string{"0 functions", "not looked at: the functions behind them"}},
		"a command that is quoted": {func(c *ssotest.Config) {
			c.OnDescribe = func(name string, a map[string]any) {
				if name == "DescribeUserPoolClient" {
					a["UserPoolClient"].(map[string]any)["CallbackURLs"] = []string{boardURL + "/\x1b[2J", "http://evil.example/\x1b[2J*"}
				}
			}
		}, nil, drift, []string{"url_malformed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := doctored(t, row.pool).run(t, append([]string{"doctor"}, row.args...)...)
			if r.status != row.status || r.err != "" || strings.Contains(r.out, "\x1b") || strings.Contains(r.out, "verysecret") {
				t.Errorf("%+v", r)
			}
			for _, want := range row.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("it does not say %q:\n%s", want, r.out)
				}
			}
		})
	}
}

func localhost(c *ssotest.Config) {
	c.Clients[0].CallbackURLs = append(c.Clients[0].CallbackURLs, "http://localhost:8080/auth/callback")
}

type diagnosis struct {
	OK       bool
	Pool     string
	Count    map[string]int
	Findings []struct{ ID, Subject, Severity, Target, Found, Why, Fix, Command string }
	Clients  int
}

func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	w := doctored(t, localhost)
	var d diagnosis
	if r := w.run(t, "doctor", "--json"); r.status != ok || json.Unmarshal([]byte(r.out), &d) != nil || !d.OK || d.Count["notice"] != 1 || d.Count["error"] != 0 || d.Clients != 1 {
		t.Errorf("%+v", r)
	}
	w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{"GetPolicy": "ResourceNotFoundException"} })
	d = diagnosis{}
	r := w.run(t, "doctor", "--json")
	if r.status != drift || json.Unmarshal([]byte(r.out), &d) != nil || d.OK || d.Count["error"] != 4 {
		t.Fatalf("%+v", r)
	}
	i := slices.IndexFunc(d.Findings, func(f struct{ ID, Subject, Severity, Target, Found, Why, Fix, Command string }) bool {
		return f.ID == "permission_missing"
	})
	const command = "aws lambda add-permission --region ap-northeast-2 --function-name arn:aws:lambda:ap-northeast-2:000000000000:function:PreSignUp --statement-id cognito-ap-northeast-2-Doctor" +
		" --action lambda:InvokeFunction --principal cognito-idp.amazonaws.com --source-arn arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Doctor --source-account 000000000000"
	if i < 0 || d.Findings[i].Target != "PreSignUp" || d.Findings[i].Command != command {
		t.Errorf("%+v", d.Findings)
	}
}

// What could not be asked is not well.
func TestDoctorUnfinished(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault, kind string
		out, err    string
	}{
		"a question":       {"DescribeUserPoolDomain", "AccessDeniedException", "Nobody can tell: 1 question was not answered.", "not everything could be asked"},
		"no right at all":  {"DescribeUserPool", "AccessDeniedException", "", "DescribeUserPool: AccessDeniedException"},
		"no such pool":     {"DescribeUserPool", "ResourceNotFoundException", "", "DescribeUserPool: ResourceNotFoundException"},
		"bad credentials":  {"*", "UnrecognizedClientException", "", "DescribeUserPool: UnrecognizedClientException"},
		"half of the pool": {"DescribeIdentityProvider", "AccessDeniedException", "2 questions were not answered", "not everything"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := doctored(t, nil)
			w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{row.fault: row.kind} })
			r := w.run(t, "doctor")
			if r.status != unfinished || !strings.Contains(r.err, row.err) || !strings.Contains(r.out, row.out) || row.out == "" && r.out != "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestDoctorUsage(t *testing.T) {
	t.Parallel()
	w := doctored(t, nil)
	for name, row := range map[string]struct {
		env, args []string
		want      string
	}{
		"no pool":               {[]string{"SSO_USER_POOL_ID="}, nil, "SSO_USER_POOL_ID: required"},
		"odd pool":              {[]string{"SSO_USER_POOL_ID=pool"}, nil, "UserPoolID"},
		"odd attribute":         {[]string{"SSO_USER_ID_ATTRIBUTE=userId"}, nil, "UserIDAttribute"},
		"http":                  {[]string{"SSO_INSECURE_ALLOW_HTTP=false"}, nil, "JWKSURL"},
		"odd flag":              {[]string{"SSO_INSECURE_ALLOW_HTTP=perhaps"}, nil, "SSO_INSECURE_ALLOW_HTTP"},
		"whose URL":             {nil, []string{"--base-url", boardURL}, "CLIENT=URL"},
		"whose URL of two":      {nil, []string{"--client", "a", "--client", "b", "--base-url", boardURL}, "CLIENT=URL"},
		"URL of another":        {nil, []string{"--client", "a", "--base-url", "b=" + boardURL}, "ClientIDs"},
		"URL in clear":          {nil, []string{"--base-url", "board=http://board.example"}, "BaseURLs"},
		"no table to look at":   {nil, []string{"--with-database"}, "SSO_STORE: required"},
		"argument":              {nil, []string{"board"}, `"board"`},
		"a flag of reconcile's": {nil, []string{"--apply"}, "--apply"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := *w
			other.env = append(append([]string{}, w.env...), row.env...)
			r := other.run(t, append([]string{"doctor"}, row.args...)...)
			if r.status != usage || r.out != "" || !strings.Contains(r.err, row.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The policy is printed without a call, and without a table.
func TestDoctorPolicy(t *testing.T) {
	t.Parallel()
	w := doctored(t, nil)
	w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{"*": "AccessDeniedException"} })
	r := w.run(t, "doctor", "--print-policy")
	if r.status != ok || r.err != "" || !json.Valid([]byte(r.out)) || !strings.Contains(r.out, `"arn:aws:cognito-idp:ap-northeast-2:*:userpool/ap-northeast-2_Doctor"`) ||
		strings.Contains(r.out, "ListUsers") || strings.Contains(r.out, "sqs:") {
		t.Errorf("%+v", r)
	}
	r = w.run(t, "doctor", "--print-policy", "--with-database", "--skip-functions", "--queue-url", "https://sqs.ap-northeast-2.amazonaws.com/111122223333/sso-signins")
	if r.status != ok || !strings.Contains(r.out, "cognito-idp:ListUsers") || strings.Contains(r.out, "lambda:") || !strings.Contains(r.out, ":sso-signins-dead") {
		t.Errorf("%+v", r)
	}
}

// The table and the queue, too.
func TestDoctorOfEverything(t *testing.T) {
	t.Parallel()
	sqs := realtest.SQS(t)
	q := sqs.Queue(t, realtest.QueueConfig{MaxReceives: 5})
	w := doctored(t, nil).sqlite(t)
	w.env = append(w.env, "AWS_ENDPOINT_URL_SQS="+sqs.URL)
	if r := w.run(t, "doctor", "--with-database"); r.status != ok || r.err != "" || !strings.Contains(r.out, "database") || strings.Contains(r.out, "--with-database") {
		t.Errorf("%+v", r)
	}
	w.row(t, w.kakao(t, "4000000001", "1"), "4000000001")
	if _, err := w.db.ExecContext(t.Context(), "DROP TABLE users; CREATE TABLE users (id INTEGER PRIMARY KEY, kakao_id TEXT)"); err != nil {
		t.Fatal(err)
	}
	r := w.run(t, "doctor", "--with-database", "--queue-url", q.URL)
	if r.status != drift || !strings.Contains(r.out, "table_incomplete  users") || !strings.Contains(r.out, "queue_unencrypted") || !strings.Contains(r.out, "consumer_missing") ||
		strings.Contains(r.out, "4000000001") {
		t.Errorf("%+v", r)
	}
	if again := w.run(t, "doctor", "--with-database", "--queue-url", q.URL); again.out != r.out {
		t.Errorf("a look changed something: %+v", again)
	}
	w.env = append(w.env, "SSO_SIGNIN_QUEUE_URL="+q.URL+"-gone")
	if r := w.run(t, "doctor"); r.status != drift || !strings.Contains(r.out, "queue_missing") {
		t.Errorf("%+v", r)
	}
}

func TestDoctorHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(t, "help", "doctor")
	for _, want := range []string{"It changes nothing", "--print-policy", "--client ID", "--base-url CLIENT=URL", "--queue-url URL", "--with-database", "--strict", "--json"} {
		if r.status != ok || !strings.Contains(r.out, want) {
			t.Errorf("the help does not name %s: %+v", want, r)
		}
	}
}
