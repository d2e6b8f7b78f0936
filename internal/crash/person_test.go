package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// person is somebody who signs up, and in.
type person struct {
	n                 int
	provider, subject string
	sub, username     string
	email             string
	legacy            *legacy
	visits            int  // after the first
	twice             bool // Cognito calls the first trigger twice at once

	began time.Time
	mu    sync.Mutex // guards what follows
	// attribute is the pool's custom:userId; ids are all that anybody was told.
	attribute            string
	ids                  []string
	known                bool            // an id was told, so there must be a row
	sent                 []time.Time     // sign-ins that somebody tried to send, or to write with the row
	unsent               map[string]bool // messages that the queue did not take
	due                  time.Time       // the newest that must be recorded
	confirming, signedUp bool
	signIns              int
	out                  bool // could not sign in when nothing was broken any more
	history              []string
}

// legacy is a row of the organisation's old table.
type legacy struct {
	id                             int64
	kakao, email, name, no, remark string
}

// newPerson is the same for the same seed and number.
func newPerson(seed uint64, n int, began time.Time) *person {
	r := rand.New(rand.NewPCG(seed, uint64(n)+1))
	p := &person{
		n: n, began: began, unsent: map[string]bool{}, provider: "Kakao", subject: fmt.Sprint(4_000_000_000 + n), email: fmt.Sprintf("family-%d@example.test", n/4),
		sub: fmt.Sprintf("%08x-0000-4000-8000-%012x", r.Uint32(), n), visits: r.IntN(3), twice: r.IntN(5) == 0,
	}
	switch kind := r.IntN(10); {
	case kind < 3:
		p.provider = "Google"
	case kind < 6:
		p.legacy = &legacy{
			id: int64(1000 + 3*n), kakao: p.subject, email: p.email, name: fmt.Sprintf("Old Name %d", n),
			no: fmt.Sprintf("S%07d", n), remark: "kept since 2009",
		}
	}
	p.username = p.provider + "_" + p.subject
	return p
}

func (p *person) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *person) note(format string, args ...any) {
	line := fmt.Sprintf("%8v  ", time.Since(p.began).Truncate(time.Millisecond)) + fmt.Sprintf(format, args...)
	p.change(func() { p.history = append(p.history, line) })
}

// event is one of a trigger, as Cognito sends it (lambda/testdata).
func (p *person) event(source string) json.RawMessage {
	identities, _ := json.Marshal([]map[string]any{{ // strings: cannot fail
		"userId": p.subject, "providerName": p.provider, "providerType": "OIDC", "issuer": nil, "primary": true, "dateCreated": p.began.UnixMilli(),
	}})
	attributes := map[string]string{
		"sub": p.sub, "identities": string(identities), "cognito:user_status": "EXTERNAL_PROVIDER", "email_verified": "false",
		"email": p.email, "name": fmt.Sprintf("Name %d", p.n),
	}
	p.change(func() {
		if p.attribute != "" {
			attributes[attribute] = p.attribute
		}
	})
	raw, _ := json.Marshal(map[string]any{
		"version": "1", "triggerSource": source, "region": "ap-northeast-2", "userPoolId": "ap-northeast-2_ExAmPlE01", "userName": p.username,
		"callerContext": map[string]string{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "crash"},
		"request":       map[string]any{"userAttributes": attributes}, "response": map[string]any{},
	})
	return raw
}

const attribute = "custom:userId"

// Cognito gives a trigger 5 seconds, three times.
const (
	patience = 5 * time.Second
	tries    = 3
)

var errTrigger = errors.New("the trigger failed")

// call is a trigger as Cognito calls it.
func (w *world) call(ctx context.Context, p *person, source string) (json.RawMessage, error) {
	for try := range tries {
		answer, err := w.once(ctx, p, source)
		if err == nil {
			return answer, nil
		}
		w.ledger.fail(triggerName)
		p.note("%s, try %d: %v", source, try+1, err)
	}
	return nil, errTrigger
}

func (w *world) once(ctx context.Context, p *person, source string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := w.trigger.Invoke(ctx, p.event(source))
	if err == nil && a.FunctionError != "" {
		err = fmt.Errorf("%s", a.Payload)
	}
	return a.Payload, err
}

// live is the whole life of a person while things break.
func (w *world) live(ctx context.Context, p *person) {
	err := w.signUp(ctx, p)
	for range p.visits {
		if err != nil {
			time.Sleep(hesitation) // somebody who saw an error takes a moment
		}
		err = w.signIn(ctx, p)
	}
}

const hesitation = 50 * time.Millisecond

func (w *world) signUp(ctx context.Context, p *person) error {
	const source = "PostConfirmation_ConfirmSignUp"
	p.change(func() { p.confirming = true })
	var rival sync.WaitGroup
	if p.twice {
		rival.Go(func() { _, _ = w.call(ctx, p, source) })
	}
	_, err := w.call(ctx, p, source)
	rival.Wait()
	p.change(func() { p.confirming = false })
	if err != nil {
		return err
	}
	p.note("signed up")
	p.change(func() { p.signedUp, p.known = true, true })
	return w.token(ctx, p)
}

func (w *world) signIn(ctx context.Context, p *person) error {
	if _, err := w.call(ctx, p, "PostAuthentication_Authentication"); err != nil {
		return err
	}
	if err := w.token(ctx, p); err != nil {
		return err
	}
	p.change(func() { p.signIns++ })
	return nil
}

// token gets the tokens of a sign-in. The id in them is what an app sees.
func (w *world) token(ctx context.Context, p *person) error {
	answer, err := w.call(ctx, p, "TokenGeneration_HostedAuth")
	if err != nil {
		return err
	}
	var out struct {
		Response struct {
			Details struct {
				Add map[string]string `json:"claimsToAddOrOverride"`
			} `json:"claimsOverrideDetails"`
		} `json:"response"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return err
	}
	id := out.Response.Details.Add[attribute]
	p.note("token with id %q", id)
	p.change(func() { p.ids, p.known = append(p.ids, id), true })
	return nil
}
