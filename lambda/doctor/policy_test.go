package doctor_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// watched keeps the IAM action of every call.
type watched struct {
	aws.HTTPClient
	mu   sync.Mutex
	seen map[string]bool
}

func (w *watched) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.seen[action(r)] = true
	w.mu.Unlock()
	return w.HTTPClient.Do(r)
}

// action names what IAM checks for a request.
func action(r *http.Request) string {
	if service, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return map[string]string{"AWSCognitoIdentityProviderService": "cognito-idp:", "AmazonSQS": "sqs:"}[service] + name
	}
	for suffix, name := range map[string]string{
		"/configuration": "lambda:GetFunctionConfiguration", "/policy": "lambda:GetPolicy", "/event-source-mappings": "lambda:ListEventSourceMappings",
	} {
		if strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), suffix) {
			return name
		}
	}
	return "unknown: " + r.Method + " " + r.URL.Path
}

// The policy allows the calls that a run makes, and no others.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*doctor.Config)
	}{
		{"everything", func(*doctor.Config) {}},
		{"no database", func(c *doctor.Config) { c.Database = nil }},
		{"no queue", func(c *doctor.Config) { c.QueueURL, c.SQS = "", nil }},
		{"no functions", func(c *doctor.Config) { c.Lambda = nil }},
		{"the pool alone", func(c *doctor.Config) { c.QueueURL, c.SQS, c.Lambda, c.Database = "", nil, nil, nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			seen := &watched{HTTPClient: awshttp.NewClient(), seen: map[string]bool{}}
			w := newWorld(t, consumed(nil))
			q := goodQueue(t)
			o := q.Client.Options()
			o.HTTPClient, w.http = seen, seen
			w.connect()
			w.cfg.SQS, w.cfg.QueueURL = sqs.New(o), q.URL
			w.drifted(t)
			row.change(&w.cfg)
			w.run(t)
			if got, want := slices.Sorted(maps.Keys(seen.seen)), slices.Sorted(maps.Keys(allowed(t, w.cfg))); !slices.Equal(got, want) {
				t.Errorf("called   %v\nallowed  %v", got, want)
			}
		})
	}
}

// drifted gives the world a table with somebody who must be looked up by name.
func (w *world) drifted(t *testing.T) {
	t.Helper()
	db := w.tabled(t)
	exec(t, db, "INSERT INTO users (cognito_sub, kakao_id) VALUES (?, '11')", w.user(t, "11", "1"))
	w.user(t, "12", "77")
}

// allowed are the actions of a policy.
func allowed(t *testing.T, cfg doctor.Config) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, s := range statements(t, cfg) {
		for _, a := range s.Action {
			all[a] = true
		}
	}
	return all
}

type iamStatement struct {
	Sid, Effect      string
	Action, Resource []string
}

func statements(t *testing.T, cfg doctor.Config) []iamStatement {
	t.Helper()
	text, err := doctor.Policy(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Version   string
		Statement []iamStatement
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Version != "2012-10-17" {
		t.Fatalf("%v: %s", err, text)
	}
	return p.Statement
}

// Whatever can be bound to a resource is; nothing may be changed.
func TestPolicyIsNarrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ssotest.Config) { c.ID = "us-gov-west-1_Doctor" })
	w.cfg.QueueURL = "https://sqs.us-gov-west-1.amazonaws.com/111122223333/sso-signins"
	for _, s := range statements(t, w.cfg) {
		for _, resource := range s.Resource {
			if want := s.Sid == "Domain" || s.Sid == "Consumer"; (resource == "*") != want || resource != "*" && !strings.HasPrefix(resource, "arn:aws-us-gov:") {
				t.Errorf("%s: resource %s", s.Sid, resource)
			}
		}
		for _, a := range s.Action {
			_, verb, _ := strings.Cut(a, ":")
			if s.Effect != "Allow" || strings.Contains(a, "*") || !strings.HasPrefix(verb, "Describe") && !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Get") {
				t.Errorf("%s: %s %s", s.Sid, s.Effect, a)
			}
		}
	}
}
