package main

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // SQS answers with it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

// termConfig is the first day of term.
type termConfig struct {
	Students  int
	PerSecond int  // first sign-ups
	Quota     int  // UserUpdate calls a second
	Stay      bool // refresh their tokens every hour; otherwise they are gone
	Reconcile bool // once, behind the last sign-up
}

// term is how it went, by a clock that only moves when everybody waits.
type term struct {
	Config         termConfig
	Tokens, WithID int // first tokens, and those with a userId
	Refused        int
	Writes         int // calls of AdminUpdateUserAttributes
	Throttled      int // of those, refused by the quota
	Missing        int // attributes, when the last had signed up
	Left           int // attributes, at the end
	Repaired       int
	Refreshes      int
	StoreCalls     int
	Complete       time.Duration // from the first sign-up until none was missing
	AfterLast      time.Duration // from the last sign-up
	Waits          times         // first sign-ins, within triggers
	Decay          []int         // missing after each hour
}

// How long calls take, by that clock: an ordinary day's.
const (
	cognitoTime  = 40 * time.Millisecond
	queueTime    = 10 * time.Millisecond
	functionsAll = 300 // processes, one event at a time: Lambda starts as many as are needed
)

// termChild is the environment variable of the process that runs termConfig, as
// JSON, and prints a term.
const termChild = "SSO_BENCH_TERM"

// measureTerm runs the real handlers, the real SDK with sso-trigger's number of
// attempts and a real table within synctest, whose clock makes hours out of
// nothing. Cognito and SQS are answered inside the process. It is a process of
// its own, since only tests have that clock.
func measureTerm(ctx context.Context, cfg termConfig) (out term, err error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return out, err
	}
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), termChild+"="+string(raw))
	text, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%w: %s", err, text)
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&out) // behind it testing says PASS
	return out, err
}

// beTerm is that process. It does not return.
func beTerm(raw string) {
	os.Args = os.Args[:1]
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "term", F: func(t *testing.T) {
		var cfg termConfig
		if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
			t.Fatal(err)
		}
		var out term
		synctest.Test(t, func(t *testing.T) { out = runTerm(t, cfg) })
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			t.Fatal(err)
		}
	}}}, nil, nil)
}

func runTerm(t *testing.T, cfg termConfig) term {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	c := &campus{term: term{Config: cfg}, store: store, users: map[string]*student{}, free: make(chan *lambda.Triggers, functionsAll)}
	for range functionsAll {
		triggers, err := lambda.NewTriggers(lambda.Config{
			Users: store, Attributes: lambda.NewCognitoAttributes(c.cognito()), SignIns: lambda.NewSQSSignIns(c.queue(), "https://sqs.example.test/q"),
			Providers: []string{"Kakao"}, Logger: slog.New(slog.DiscardHandler), OnResult: c.saw,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.free <- triggers
	}
	began := time.Now()
	var all sync.WaitGroup
	for n := range cfg.Students {
		s := c.enrol(n)
		all.Go(func() { c.signUp(s) })
		time.Sleep(time.Second / time.Duration(cfg.PerSecond))
	}
	last := time.Now()
	all.Wait()
	c.term.Missing = c.without()
	switch {
	case cfg.Reconcile:
		c.mend(t)
	case cfg.Stay:
		c.refresh(began)
	}
	c.term.Left = c.without()
	c.term.Complete, c.term.AfterLast = c.done.Sub(began), c.done.Sub(last)
	return c.term
}

// campus is a pool of students, and their day.
type campus struct {
	store *sqlite.Store
	free  chan *lambda.Triggers

	mu     sync.Mutex // guards what follows
	term   term
	users  map[string]*student
	order  []*student
	second time.Time
	used   int
	done   time.Time // when the last attribute was written
}

type student struct {
	username, sub string
	attributes    map[string]string
	signedUp      time.Time
}

// saw counts what the handlers say of themselves.
func (c *campus) saw(r lambda.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.User != "" {
		c.term.StoreCalls++
	}
}

// enrol makes a user as Cognito does behind PreSignUp.
func (c *campus) enrol(n int) *student {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub, subject := subOf(n), fmt.Sprint(4_000_000_000+n)
	s := &student{username: "Kakao_" + subject, sub: sub, signedUp: time.Now(), attributes: map[string]string{
		"sub": sub, "cognito:user_status": "EXTERNAL_PROVIDER", "email_verified": "false", "name": "하나",
		"identities": fmt.Sprintf(`[{"userId":%q,"providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":%d}]`,
			subject, time.Now().UnixMilli()),
	}}
	c.users[s.username] = s
	c.order = append(c.order, s)
	return s
}

// signUp is a first sign-in: PostConfirmation and the token, each wherever a
// process is free.
func (c *campus) signUp(s *student) {
	began := time.Now()
	_, err := c.trigger(s, "PostConfirmation_ConfirmSignUp")
	id := ""
	if err == nil {
		id, err = c.trigger(s, "TokenGeneration_HostedAuth")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.term.Waits = append(c.term.Waits, time.Since(began))
	switch {
	case err != nil:
		c.term.Refused++
	default:
		c.term.Tokens++
		if id != "" {
			c.term.WithID++
		}
	}
}

// refresh has every student come back each hour for a new token, until no
// attribute is missing.
func (c *campus) refresh(began time.Time) {
	const most = 24 // hours; then nothing heals
	for hour := 1; hour <= most && c.without() > 0; hour++ {
		var all sync.WaitGroup
		for _, s := range c.order {
			if d := time.Until(s.signedUp.Add(time.Duration(hour) * time.Hour)); d > 0 {
				time.Sleep(d)
			}
			all.Go(func() {
				if id, err := c.trigger(s, "TokenGeneration_RefreshTokens"); err != nil || id == "" {
					c.mu.Lock()
					c.term.Refused++
					c.mu.Unlock()
				}
			})
			c.term.Refreshes++
		}
		all.Wait()
		c.term.Decay = append(c.term.Decay, c.without())
	}
}

// mend is one run of ssoctl reconcile -apply, at its own rates, which begins
// when it leaves out nobody any more for being new.
func (c *campus) mend(t *testing.T) {
	t.Helper()
	time.Sleep(11 * time.Minute)
	report, err := reconcile.Run(t.Context(), reconcile.Config{
		Pool: campusPool{c}, Users: c.store, Providers: []string{"Kakao"}, Columns: []string{"Kakao"}, Apply: true,
		OnFinding: func(f reconcile.Finding) {
			if f.Repaired {
				c.term.Repaired++
			}
		},
	})
	if err != nil {
		t.Fatalf("reconcile: %v: %+v", err, report)
	}
}

// trigger is one event, as Cognito sends it now.
func (c *campus) trigger(s *student, source string) (userID string, err error) {
	fn := <-c.free
	defer func() { c.free <- fn }()
	c.mu.Lock()
	attributes := maps.Clone(s.attributes)
	c.mu.Unlock()
	raw, err := json.Marshal(map[string]any{
		"version": "1", "triggerSource": source, "region": "ap-northeast-2", "userPoolId": campusID, "userName": s.username,
		"callerContext": map[string]string{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "web"},
		"request":       map[string]any{"userAttributes": attributes, "groupConfiguration": map[string]any{}},
		"response":      map[string]any{},
	})
	if err != nil {
		return "", err
	}
	out, err := fn.Handle(context.Background(), raw)
	if err != nil {
		return "", err
	}
	var answer struct {
		Response struct {
			Details struct {
				Claims map[string]string `json:"claimsToAddOrOverride"`
			} `json:"claimsOverrideDetails"`
		} `json:"response"`
	}
	err = json.Unmarshal(out, &answer)
	return answer.Response.Details.Claims["custom:userId"], err
}

// without counts students who lack the attribute.
func (c *campus) without() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.order {
		if s.attributes["custom:userId"] == "" {
			n++
		}
	}
	return n
}

const campusID = "ap-northeast-2_FirstDay1"

// update is AdminUpdateUserAttributes under its quota. It reports whether the
// quota allowed it.
func (c *campus) update(username, name, value string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now().Truncate(time.Second); !now.Equal(c.second) {
		c.second, c.used = now, 0
	}
	c.term.Writes++
	c.used++
	if c.used > c.term.Config.Quota {
		c.term.Throttled++
		return false
	}
	s := c.users[username]
	if s.attributes[name] == "" {
		c.done = time.Now()
	}
	s.attributes[name] = value
	return true
}

// doer answers the SDK inside the process.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func (c *campus) cognito() *cognitoidentityprovider.Client {
	return cognitoidentityprovider.New(cognitoidentityprovider.Options{Region: "ap-northeast-2", Credentials: noCredentials, RetryMaxAttempts: 2,
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			var in struct {
				Username       string
				UserAttributes []struct{ Name, Value string }
			}
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, err
			}
			time.Sleep(cognitoTime/2 + rand.N(cognitoTime)) //nolint:gosec // no secret
			if !c.update(in.Username, in.UserAttributes[0].Name, in.UserAttributes[0].Value) {
				return answer(http.StatusBadRequest, map[string]string{"__type": "TooManyRequestsException", "message": "Rate exceeded"})
			}
			return answer(http.StatusOK, struct{}{})
		})})
}

func (c *campus) queue() *sqs.Client {
	return sqs.New(sqs.Options{Region: "ap-northeast-2", Credentials: noCredentials, RetryMaxAttempts: 2,
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			var in struct{ MessageBody string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, err
			}
			time.Sleep(queueTime)
			sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // SQS answers with it
			return answer(http.StatusOK, map[string]string{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
		})})
}

var noCredentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

func answer(status int, body any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(bytes.NewReader(raw)), ContentLength: int64(len(raw))}, nil
}

// campusPool is the pool as reconciliation sees it.
type campusPool struct{ c *campus }

func (p campusPool) ID() string { return campusID }

func (p campusPool) List(_ context.Context, token string) (page []reconcile.PoolUser, next string, err error) {
	time.Sleep(cognitoTime)
	from := 0
	if token != "" {
		if _, err := fmt.Sscan(token, &from); err != nil {
			return nil, "", err
		}
	}
	const size = 60
	to := min(from+size, len(p.c.order))
	for _, s := range p.c.order[from:to] {
		page = append(page, p.user(s))
	}
	if to < len(p.c.order) {
		next = fmt.Sprint(to)
	}
	return page, next, nil
}

func (p campusPool) user(s *student) reconcile.PoolUser {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return reconcile.PoolUser{Username: s.username, Status: "EXTERNAL_PROVIDER", Created: s.signedUp, Attributes: maps.Clone(s.attributes)}
}

func (p campusPool) BySub(_ context.Context, sub string) (reconcile.PoolUser, error) {
	time.Sleep(cognitoTime)
	for _, s := range p.c.order {
		if s.sub == sub {
			return p.user(s), nil
		}
	}
	return reconcile.PoolUser{}, reconcile.ErrNoUser
}

func (p campusPool) User(_ context.Context, username string) (reconcile.PoolUser, error) {
	time.Sleep(cognitoTime)
	s, ok := p.c.users[username]
	if !ok {
		return reconcile.PoolUser{}, reconcile.ErrNoUser
	}
	return p.user(s), nil
}

func (p campusPool) SetAttribute(_ context.Context, username, name, value string) error {
	time.Sleep(cognitoTime)
	if !p.c.update(username, name, value) {
		return reconcile.ErrThrottled
	}
	return nil
}
