package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

const base = "https://board.example.ac.kr"

// good is a pool with which all is well.
func good() ssotest.Config {
	return ssotest.Config{
		ID: "ap-northeast-2_Doctor", Triggers: triggers("V2_0"), DeletionProtection: true, AdminCreateUserOnly: true,
		Clients: []ssotest.Client{goodClient("board")},
	}
}

func goodClient(id string) ssotest.Client {
	return ssotest.Client{
		ClientID: id, ClientSecret: "verysecret" + id, CallbackURLs: []string{base + "/auth/callback"}, LogoutURLs: []string{base + "/auth/logged-out"},
		SupportedIdentityProviders: []string{"Kakao", "Google"}, AllowedOAuthScopes: []string{"openid", "email", "profile"},
		ExplicitAuthFlows: []string{"ALLOW_REFRESH_TOKEN_AUTH"}, PreventUserExistenceErrors: true,
		ReadAttributes: []string{"custom:userId", "email", "email_verified", "name"}, WriteAttributes: []string{"email", "name"},
	}
}

func triggers(version string) ssotest.Triggers {
	t := ssotest.All(ssotest.TriggerFunc(nil))
	t.PreAuthentication, t.PreTokenGenerationVersion = nil, version
	return t
}

// object is a JSON object in an answer of AWS.
type object = map[string]any

// in goes down an answer.
func in(answer object, names ...string) object {
	for _, name := range names {
		answer = answer[name].(object)
	}
	return answer
}

// on changes what the API shows, of one operation.
func on(operation string, change func(object)) func(*ssotest.Config) {
	return func(c *ssotest.Config) {
		before := c.OnDescribe
		c.OnDescribe = func(name string, answer map[string]any) {
			if before != nil {
				before(name, answer)
			}
			if name == operation {
				change(answer)
			}
		}
	}
}

// client changes the first client as it is configured.
func client(change func(*ssotest.Client)) func(*ssotest.Config) {
	return func(c *ssotest.Config) { change(&c.Clients[0]) }
}

// world is a pool, and a doctor's view of it.
type world struct {
	pool *ssotest.Pool
	cfg  doctor.Config
	http aws.HTTPClient
}

func newWorld(t *testing.T, changes ...func(*ssotest.Config)) *world {
	t.Helper()
	cfg := good()
	for _, change := range changes {
		if change != nil {
			change(&cfg)
		}
	}
	w := &world{pool: ssotest.NewPool(t, cfg), http: awshttp.NewClient()}
	w.connect()
	return w
}

// connect makes the real clients of AWS's SDK, over HTTP.
func (w *world) connect() {
	who := credentials.NewStaticCredentialsProvider("local", "local", "")
	w.cfg = doctor.Config{
		UserPoolID: w.pool.ID(), JWKSURL: w.pool.JWKSURL(), Issuers: []string{w.pool.Issuer()}, InsecureAllowHTTP: true,
		Cognito: cognitoidentityprovider.New(cognitoidentityprovider.Options{
			Region: "ap-northeast-2", BaseEndpoint: aws.String(w.pool.URL()), RetryMaxAttempts: 1, HTTPClient: w.http, Credentials: who,
		}),
		Lambda: lambda.New(lambda.Options{
			Region: "ap-northeast-2", BaseEndpoint: aws.String(w.pool.URL()), RetryMaxAttempts: 1, HTTPClient: w.http, Credentials: who,
		}),
	}
}

func (w *world) run(t *testing.T) doctor.Report {
	t.Helper()
	report, err := doctor.Run(t.Context(), w.cfg)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return report
}

// want compares what was found, in any order, and how it is told.
func want(t *testing.T, report doctor.Report, ids ...doctor.ID) {
	t.Helper()
	var found []doctor.ID
	for _, f := range report.Findings {
		found = append(found, f.ID)
		wellTold(t, f)
	}
	slices.Sort(found)
	slices.Sort(ids)
	if !slices.Equal(found, ids) {
		t.Errorf("found %v, want %v: %+v", found, ids, report.Findings)
	}
}

// wellTold looks at the texts of a finding: whole, in sentences, and without a
// secret.
func wellTold(t *testing.T, f doctor.Finding) {
	t.Helper()
	for name, text := range map[string]string{"Found": f.Found, "Why": f.Why, "Fix": f.Fix} {
		if !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %s is no sentence: %q", f.ID, name, text)
		}
		if strings.Contains(text, "verysecret") {
			t.Errorf("%s: %s holds a secret", f.ID, name)
		}
	}
	if f.ID != doctor.NotAsked && f.Severity != doctor.SeverityOf(f.ID) || f.Severity == "" || f.Subject == "" {
		t.Errorf("%s has severity %q and subject %q", f.ID, f.Severity, f.Subject)
	}
	for _, reset := range []string{"update-user-pool ", "update-user-pool-client ", "update-identity-provider "} {
		if strings.Contains(f.Command, reset) {
			t.Errorf("%s proposes %q, which resets what it is not given", f.ID, f.Command)
		}
	}
}
