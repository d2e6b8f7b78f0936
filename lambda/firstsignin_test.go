package lambda_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// process is one copy of the function: what it shares with the others is the
// table and the pool.
func process(t *testing.T, store *fakeStore, attrs *fakeAttributes, now *time.Time, change ...func(*lambda.Config)) *world {
	t.Helper()
	return newWorld(t, append([]func(*lambda.Config){func(c *lambda.Config) {
		c.Users, c.Attributes = store, attrs
		c.Now = func() time.Time { return *now }
	}}, change...)...)
}

// created is a fixture whose user Cognito made at that time.
func created(t *testing.T, name string, at time.Time) json.RawMessage {
	t.Helper()
	return changed(t, name, `\"dateCreated\":1773100800000`, fmt.Sprintf(`\"dateCreated\":%d`, at.UnixMilli()))
}

// withAttribute is the event as it is when it shows custom:userId.
func withAttribute(t *testing.T, raw json.RawMessage, id string) json.RawMessage {
	t.Helper()
	out := strings.Replace(string(raw), `"email_verified"`, `"custom:userId": "`+id+`", "email_verified"`, 1)
	if out == string(raw) {
		t.Fatal("no place for the attribute")
	}
	return json.RawMessage(out)
}

// The whole first sign-in, counted: one question to the store where that is
// possible, and at most one write of the attribute that Cognito takes.
func TestFirstSignInCounts(t *testing.T) {
	t.Parallel()
	later := func(d time.Duration) func(*time.Time) { return func(now *time.Time) { *now = now.Add(d) } }
	for name, tc := range map[string]struct {
		fresh, two, throttled bool
		wait                  func(*time.Time) // between PostConfirmation and the token
		always                bool
		asked, writes         int
		healed                bool
	}{
		"fresh event, one process":                          {fresh: true, asked: 1, writes: 1},
		"fresh event, two processes":                        {fresh: true, two: true, asked: 1, writes: 1},
		"stale event, one process":                          {asked: 1, writes: 1},
		"stale event, two processes":                        {two: true, asked: 2, writes: 1},
		"throttled, one process: the token tries":           {throttled: true, asked: 1, writes: 2, healed: true},
		"throttled, two processes: a later token tries":     {throttled: true, two: true, asked: 2, writes: 1},
		"stale event, a slow browser":                       {wait: later(59 * time.Second), asked: 1, writes: 1},
		"stale event, two processes, a slow browser":        {two: true, wait: later(59 * time.Second), asked: 2, writes: 1},
		"a minute later the event is new: it is missing":    {wait: later(time.Minute), asked: 2, writes: 2, healed: true},
		"a minute later in another process":                 {two: true, wait: later(time.Minute), asked: 2, writes: 2, healed: true},
		"a clock that is set back in one process":           {wait: later(-time.Hour), asked: 2, writes: 2, healed: true},
		"the other clock is behind a little":                {two: true, wait: later(-30 * time.Second), asked: 2, writes: 1},
		"the other clock is behind much":                    {two: true, wait: later(-time.Hour), asked: 2, writes: 2, healed: true},
		"always the store: stale event, one process":        {always: true, asked: 2, writes: 1},
		"always the store: fresh event, one process":        {always: true, fresh: true, asked: 2, writes: 1},
		"always the store: stale event, two processes":      {always: true, two: true, asked: 2, writes: 1},
		"always the store: throttled, one process, tries":   {always: true, throttled: true, asked: 2, writes: 2, healed: true},
		"fresh event a minute later, and nothing is needed": {fresh: true, two: true, wait: later(time.Minute), asked: 1, writes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, store, attrs := clock, &fakeStore{}, &fakeAttributes{}
			change := func(c *lambda.Config) {
				if tc.always {
					c.UserIDSource = lambda.AlwaysStore
				}
			}
			one := process(t, store, attrs, &now, change)
			other := one
			if tc.two {
				other = process(t, store, attrs, &now, change)
			}
			if tc.throttled {
				attrs.err = errBroken
			}
			if _, err := one.Handle(t.Context(), created(t, "postconfirmation_kakao", clock)); err != nil {
				t.Fatal(err)
			}
			attrs.err = nil
			if tc.wait != nil {
				tc.wait(&now)
			}
			event := created(t, "token_v1_first_sign_in", clock)
			if tc.fresh {
				event = withAttribute(t, event, "1000")
			}
			out, err := other.Handle(t.Context(), event)
			if err != nil || claimOf(t, out) != "1000" {
				t.Fatalf("Handle = %s, %v", out, err)
			}
			if len(store.ensured) != tc.asked || len(attrs.sets) != tc.writes {
				t.Errorf("store asked %d times, attribute written %d times, want %d and %d", len(store.ensured), len(attrs.sets), tc.asked, tc.writes)
			}
			if r := other.results[len(other.results)-1]; r.Healed != tc.healed {
				t.Errorf("result = %+v", r)
			}
		})
	}
}

// What two processes may leave missing, every later token makes good: a
// refresh at once, a new sign-in after a minute.
func TestMissingAttributeHeals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		old, new string
		at       time.Duration
		writes   int
	}{
		"the first token":                           {"", "", 0, 0},
		"a refresh":                                 {"TokenGeneration_HostedAuth", "TokenGeneration_RefreshTokens", 0, 1},
		"a refresh by the API":                      {"TokenGeneration_HostedAuth", "TokenGeneration_Authentication", 0, 1},
		"a new sign-in after a minute":              {"", "", time.Minute, 1},
		"a user without a date":                     {`\"dateCreated\":1772442000000`, `\"x\":1`, 0, 1},
		"a date that is no number":                  {`\"dateCreated\":1772442000000`, `\"dateCreated\":\"today\"`, 0, 1},
		"a negative date":                           {`\"dateCreated\":1772442000000`, `\"dateCreated\":-1772442000000`, 0, 1},
		"a date of the future":                      {`\"dateCreated\":1772442000000`, `\"dateCreated\":9972442000000`, 0, 1},
		"a date as text, as a token has it":         {`\"dateCreated\":1772442000000`, `\"dateCreated\":\"1772442000000\"`, 0, 0},
		"a native user, whose event is always new":  {`"cognito:user_status": "EXTERNAL_PROVIDER"`, `"cognito:user_status": "CONFIRMED"`, 0, 1},
		"the date of a linked account is not his":   {`\"primary\":true,\"dateCreated\":1772442000000}`, `\"primary\":true,\"dateCreated\":1},{\"userId\":\"7\",\"providerName\":\"Google\",\"dateCreated\":1772442000000}`, 0, 1},
		"an identity of no clear owner is not here": {`\"dateCreated\":1772442000000}`, `\"dateCreated\":1772442000000},{}`, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, store, attrs := clock.Add(tc.at), &fakeStore{rows: map[string]string{kakaoUser.Sub: "77"}}, &fakeAttributes{}
			raw := string(created(t, "token_v1_first_sign_in", clock))
			if !strings.Contains(raw, tc.old) {
				t.Fatalf("no %s in %s", tc.old, raw)
			}
			w := process(t, store, attrs, &now)
			out, err := w.Handle(t.Context(), json.RawMessage(strings.Replace(raw, tc.old, tc.new, 1)))
			if err != nil || claimOf(t, out) != "77" {
				t.Fatalf("Handle = %s, %v", out, err)
			}
			if r := w.result(t); len(attrs.sets) != tc.writes || r.Healed != (tc.writes > 0) || !r.FromStore {
				t.Errorf("written %v, result %+v", attrs.sets, r)
			}
		})
	}
}

// Cognito calls a slow PostConfirmation again, with the same event.
func TestPostConfirmationAgainWritesOnce(t *testing.T) {
	t.Parallel()
	now, store, attrs := clock, &fakeStore{}, &fakeAttributes{err: errBroken}
	w := process(t, store, attrs, &now)
	for range 3 { // the first fails, the second is the write, the third needs none
		if _, err := w.Handle(t.Context(), created(t, "postconfirmation_kakao", clock)); err != nil {
			t.Fatal(err)
		}
		attrs.err = nil
	}
	if len(attrs.sets) != 2 || w.results[2].AttributeWritten {
		t.Errorf("written %v, %+v", attrs.sets, w.results)
	}
	store.rows[kakaoUser.Sub] = "7" // the row moved: what is remembered is not in the way
	if _, err := w.Handle(t.Context(), created(t, "postconfirmation_kakao", clock)); err != nil || len(attrs.sets) != 3 || attrs.sets[2][3] != "7" {
		t.Errorf("written %v, %v", attrs.sets, err)
	}
}

// With no time left Cognito is not called at all, and the token tries.
func TestNoTimeForTheAttribute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *lambda.Config) { c.Now = time.Now })
		w.store.delay = 3950 * time.Millisecond
		if _, err := w.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); err != nil {
			t.Fatal(err)
		}
		if r := w.result(t); len(w.attrs.sets) != 0 || !r.AttributeFailed || !r.SignInRecorded {
			t.Errorf("written %v, result %+v", w.attrs.sets, r)
		}
		if _, err := w.Handle(t.Context(), fixture(t, "token_v1_first_sign_in")); err != nil || len(w.attrs.sets) != 1 || len(w.store.ensured) != 1 {
			t.Errorf("written %v, asked %d times, %v", w.attrs.sets, len(w.store.ensured), err)
		}
	})
}

// A sign-up whose row was lost is made good in the first minute too.
func TestLostRowHealsAtOnce(t *testing.T) {
	t.Parallel()
	for _, outcome := range []users.Outcome{users.Created, users.Linked, users.Moved} {
		now, store, attrs := clock, &fakeStore{outcome: outcome}, &fakeAttributes{}
		w := process(t, store, attrs, &now)
		if _, err := w.Handle(t.Context(), created(t, "token_v1_first_sign_in", clock)); err != nil {
			t.Fatal(err)
		}
		if len(attrs.sets) != 1 || !w.result(t).Healed {
			t.Errorf("%s: written %v", outcome, attrs.sets)
		}
	}
}

// What is remembered is of one user of one pool.
func TestMemoryIsOfOneUser(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"another sub":  {kakaoUser.Sub, "34c84488-e0e1-70ae-d2ee-991ad1a89899"},
		"another pool": {"ap-northeast-2_ExAmPlE01", "ap-northeast-2_ExAmPlE02"},
	} {
		now, store, attrs := clock, &fakeStore{}, &fakeAttributes{}
		w := process(t, store, attrs, &now)
		if _, err := w.Handle(t.Context(), created(t, "postconfirmation_kakao", clock)); err != nil {
			t.Fatal(err)
		}
		other := strings.ReplaceAll(string(created(t, "token_v1_first_sign_in", clock)), change[0], change[1])
		if _, err := w.Handle(t.Context(), json.RawMessage(other)); err != nil {
			t.Fatal(err)
		}
		if len(store.ensured) != 2 {
			t.Errorf("%s: the store was asked %d times", name, len(store.ensured))
		}
	}
}

// A server that never ends remembers a bounded number, and still answers right.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now, store, attrs := clock, &fakeStore{}, &fakeAttributes{}
	w := process(t, store, attrs, &now, func(c *lambda.Config) { c.Logger = quiet })
	event := func(name string, i int) json.RawMessage {
		return json.RawMessage(strings.ReplaceAll(string(created(t, name, clock)), kakaoUser.Sub, fmt.Sprint("sub-", i)))
	}
	const n = 5000 // more than are remembered
	for i := range n {
		if _, err := w.Handle(t.Context(), event("postconfirmation_kakao", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, n - 1} {
		out, err := w.Handle(t.Context(), event("token_v1_first_sign_in", i))
		if err != nil || claimOf(t, out) != store.rows[fmt.Sprint("sub-", i)] {
			t.Fatalf("%d: %s, %v", i, out, err)
		}
	}
	if got := []bool{w.results[n].FromStore, w.results[n+1].FromStore}; !reflect.DeepEqual(got, []bool{true, false}) {
		t.Errorf("from the store: the first %v, the last %v", got[0], got[1])
	}
}

// A token notes no sign-in, as it may be of a refresh: PostConfirmation and
// PostAuthentication do. But where somebody surely signs in and the row is made
// only now, their message may have come before the row: then the store notes it
// with the row, or else the queue.
func TestTokensNoteTheSignInsOfTheLost(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]string{"token_v1_later_sign_in": "TokenGeneration_Authentication", "token_v2_later_sign_in": "TokenGeneration_Authentication",
		"token_v3_later_sign_in": "TokenGeneration_", "token_v1_first_sign_in": "TokenGeneration_HostedAuth"} {
		for _, source := range tokenSources {
			raw := decode(t, fixture(t, name))
			if !strings.HasPrefix(raw["triggerSource"].(string), shape) {
				t.Fatalf("%s has %v", name, raw["triggerSource"])
			}
			raw["triggerSource"] = source
			in, err := json.Marshal(raw)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			w.store.noTimes = true
			out, err := w.Handle(t.Context(), in)
			if err != nil || !strings.Contains(string(out), `"claimsToAddOrOverride":{"custom:userId":`) {
				t.Errorf("%s %s: %s, %v", name, source, out, err)
			}
			want := 0
			if signIn := source == "TokenGeneration_HostedAuth" || source == "TokenGeneration_NewPasswordChallenge"; strings.HasSuffix(name, "first_sign_in") {
				if signIn {
					want = 1
				}
				if got := w.store.ensured[0].At; got.IsZero() == signIn {
					t.Errorf("%s %s: At = %v", name, source, got)
				}
			}
			if len(w.queue.sent) != want {
				t.Errorf("%s %s: queued %v, want %d", name, source, w.queue.sent, want)
			}
			if _, err := w.Handle(t.Context(), in); err != nil || len(w.queue.sent) != want {
				t.Errorf("%s %s: once more, with a row: queued %v, %v", name, source, w.queue.sent, err)
			}
		}
	}
}

var tokenSources = []string{"TokenGeneration_HostedAuth", "TokenGeneration_Authentication", "TokenGeneration_NewPasswordChallenge",
	"TokenGeneration_AuthenticateDevice", "TokenGeneration_RefreshTokens"}
