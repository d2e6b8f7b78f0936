package main

import (
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// stack is a pool, a queue and the functions between them and a database.
type stack struct {
	name  string
	pool  *pool
	queue *realtest.Queue
	door  *proxy    // nil where the function goes to the database itself
	api   *awsProxy // nil without counting
	sqs   *awsProxy // ditto
	fn    *lambdaruntime.Runtime
	who   *subjects

	database database
}

// stackConfig says how to build one.
type stackConfig struct {
	name     string
	database database
	split    bool          // sso-dbsync is between
	proxied  bool          // the way to the database can be counted and broken
	counted  bool          // calls of AWS are counted
	away     time.Duration // what each call of AWS takes longer, where they are counted
	program  string        // defaults to trigger
	at       int           // how many processes; defaults to 1
}

func newStack(t testing.TB, cfg stackConfig, who *subjects) *stack {
	t.Helper()
	s := &stack{name: cfg.name, pool: newPool(t), who: who, database: cfg.database}
	sqs := realtest.SQS(t)
	s.queue = sqs.Queue(t, realtest.QueueConfig{})
	if cfg.program == "" {
		cfg.program = trigger
	}
	addr := cfg.database.addr
	if cfg.proxied {
		s.door = newProxy(t, cfg.database)
		addr = s.door.addr
	}
	cognitoURL, sqsURL := s.pool.URL(), sqs.URL
	if cfg.counted {
		s.api, s.sqs = newAWSProxy(t, cognitoURL, cfg.away), newAWSProxy(t, sqsURL, cfg.away)
		cognitoURL, sqsURL = s.api.URL, s.sqs.URL
	}
	env := cfg.database.env(addr)
	instances := max(1, cfg.at)
	if cfg.split {
		d := start(t, dbsync, instances, env...)
		env = []string{"SSO_STORE=remote", "SSO_DBSYNC_FUNCTION=function", "AWS_ENDPOINT_URL_LAMBDA=" + d.URL()}
	}
	s.fn = start(t, cfg.program, instances, append(env,
		"SSO_PROVIDERS=Kakao,Google", "SSO_SIGNIN_QUEUE_URL="+s.queue.URL,
		"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="+cognitoURL, "AWS_ENDPOINT_URL_SQS="+sqsURL)...)
	s.pool.use(s.fn)
	return s
}

// signUp is somebody new, who must get an id.
func (s *stack) signUp(t testing.TB) (subject string, v visit) {
	t.Helper()
	subject = s.who.next()
	v, err := s.pool.signIn(t.Context(), subject)
	if err != nil || v.userID == "" {
		t.Fatalf("%s: sign-up: userId %q, %v", s.name, v.userID, err)
	}
	return subject, v
}

// signIn is somebody known, who must get an id.
func (s *stack) signIn(t testing.TB, subject string) visit {
	t.Helper()
	v, err := s.pool.signIn(t.Context(), subject)
	if err != nil || v.userID == "" {
		t.Fatalf("%s: sign-in: userId %q, %v", s.name, v.userID, err)
	}
	return v
}
