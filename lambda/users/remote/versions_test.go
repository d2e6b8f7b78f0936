package remote_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// only keeps the members of an object that a side of an older version knows.
func only(raw json.RawMessage, at string, known ...string) json.RawMessage {
	var outer, inner, kept map[string]json.RawMessage
	if json.Unmarshal(raw, &outer) != nil || json.Unmarshal(outer[at], &inner) != nil {
		return raw
	}
	kept = map[string]json.RawMessage{}
	for _, name := range known {
		if v, there := inner[name]; there {
			kept[name] = v
		}
	}
	outer[at], _ = json.Marshal(kept) // it was JSON
	out, _ := json.Marshal(outer)
	return out
}

// The two functions are deployed one after the other: whichever is older does
// not know the time of a sign-in, and then nobody says that it was recorded.
func TestSignInBetweenVersions(t *testing.T) {
	t.Parallel()
	oldArgs := func(raw json.RawMessage) json.RawMessage {
		return only(raw, "args", "sub", "provider", "subject", "email", "name")
	}
	oldResult := func(raw json.RawMessage) json.RawMessage { return only(raw, "result", "id", "outcome") }
	same := func(raw json.RawMessage) json.RawMessage { return raw }
	for name, tc := range map[string]struct {
		args, result func(json.RawMessage) json.RawMessage
		written      bool
		said         bool
	}{
		"both new":        {same, same, true, true},
		"an old handler":  {oldArgs, oldResult, false, false},
		"an old caller":   {oldArgs, same, false, false},
		"only the answer": {same, oldResult, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, behind, _ := openTable(t)
			h := newHandler(t, behind)
			s := newStore(t, invokeFunc(func(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
				raw, err := h(ctx, tc.args(in.Payload))
				return says(string(tc.result(raw))), err
			}))
			who := hana
			who.At = monday
			got, err := s.Ensure(t.Context(), who)
			if err != nil || got.Outcome != users.Created || got.SignInRecorded != tc.said {
				t.Fatalf("Ensure = %+v, %v", got, err)
			}
			u, err := behind.Get(t.Context(), got.ID)
			if err != nil || u.Email != hana.Email || u.LastLogin.Equal(monday) != tc.written || u.LastLogin.IsZero() == tc.written {
				t.Errorf("row = %+v, %v", u, err)
			}
		})
	}
}

// What goes over the wire, to the letter: others may have written the far side.
func TestSignInOnTheWire(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		at   time.Time
		want string // of the arguments
	}{
		"none":                 {time.Time{}, `{"sub":"s"}`},
		"in UTC":               {monday, `{"sub":"s","at":"2026-03-02T09:00:00Z"}`},
		"in another time zone": {monday.In(time.FixedZone("KST", 9*60*60)), `{"sub":"s","at":"2026-03-02T09:00:00Z"}`},
		"below a second":       {monday.Add(123456 * time.Microsecond), `{"sub":"s","at":"2026-03-02T09:00:00.123456Z"}`},
		"beyond JSON's years":  {monday.AddDate(10_000, 0, 0), `{"sub":"s"}`},
	} {
		var sent struct {
			Args json.RawMessage `json:"args"`
		}
		s := newStore(t, invokeFunc(func(_ context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			err := json.Unmarshal(in.Payload, &sent)
			return says(`{"v":1,"result":{"id":"1","outcome":"linked","sign_in_recorded":true}}`), err
		}))
		got, err := s.Ensure(t.Context(), users.Identity{Sub: "s", At: tc.at})
		if err != nil || string(sent.Args) != tc.want || got != (users.Result{ID: "1", Outcome: users.Linked, SignInRecorded: true}) {
			t.Errorf("%s: sent %s, got %+v, %v", name, sent.Args, got, err)
		}
	}
}

// A caller whose clock is far ahead must not hide later sign-ins. It is told
// that the time was not recorded.
func TestHandlerRefusesTimesToCome(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]bool{-time.Hour: true, 0: true, 5 * time.Minute: true, 5*time.Minute + time.Millisecond: false, 24 * time.Hour: false} {
		var asked users.Identity
		h := newHandler(t, stub{ensure: func(_ context.Context, id users.Identity) (users.Result, error) {
			asked = id
			return users.Result{ID: "42", Outcome: users.Created, SignInRecorded: !id.At.IsZero()}, nil
		}}, func(c *remote.HandlerConfig) { c.Now = func() time.Time { return monday } })
		at := monday.Add(ahead)
		got := ask(t, h, fmt.Sprintf(`{"v":1,"op":"ensure","args":{"sub":"a","at":%q}}`, at.Format(time.RFC3339Nano)))
		answer := `{"v":1,"result":{"id":"42","outcome":"created"}}`
		if want {
			answer = `{"v":1,"result":{"id":"42","outcome":"created","sign_in_recorded":true}}`
		}
		if got != answer || asked.At.Equal(at) != want || asked.At.IsZero() == want {
			t.Errorf("%v ahead: asked with %v, answer %s", ahead, asked.At, got)
		}
	}
}
