package lambda_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

func openStore(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// claimOf is the userId that a V1 answer puts into the ID token.
func claimOf(t testing.TB, out json.RawMessage) string {
	t.Helper()
	var e struct {
		Response struct {
			Details struct {
				Claims map[string]string `json:"claimsToAddOrOverride"`
			} `json:"claimsOverrideDetails"`
		} `json:"response"`
	}
	if err := json.Unmarshal(out, &e); err != nil {
		t.Fatal(err)
	}
	return e.Response.Details.Claims["custom:userId"]
}

// The life of one student on a real table: sign-up, token, sign-in, last login.
func TestStory(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	queue := newQueue(t, newConsumer(t, store), lambda.MemoryQueueConfig{})
	now := clock
	w := newWorld(t, func(c *lambda.Config) {
		c.Users, c.SignIns, c.Now = store, queue, func() time.Time { return now }
	})
	wantLogin := func(when string) {
		t.Helper()
		if u, err := store.Get(t.Context(), "1"); err != nil || u.Sub != kakaoUser.Sub || u.Providers["Kakao"] != kakaoUser.Subject || !u.LastLogin.Equal(now) {
			t.Errorf("%s: row = %+v, %v", when, u, err)
		}
	}
	for _, name := range []string{"presignup_external_kakao", "postconfirmation_kakao", "token_v1_first_sign_in",
		"preauthentication_kakao", "postauthentication_kakao", "token_v1_first_sign_in"} {
		out, err := w.Handle(t.Context(), fixture(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "token_") && claimOf(t, out) != "1" {
			t.Errorf("%s: userId = %q", name, claimOf(t, out))
		}
		if name == "postconfirmation_kakao" {
			wantLogin("signed up")
			now = now.Add(time.Hour)
		}
	}
	if err := queue.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLogin("signed in")
}

// Cognito calls a slow trigger again while the first run goes on, and a
// student has two tabs: one row, one id, whichever trigger comes first.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	tr, err := lambda.NewTriggers(lambda.Config{Users: store, Attributes: &fakeAttributes{}, SignIns: &fakeQueue{},
		Providers: []string{"Kakao"}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	events := []json.RawMessage{fixture(t, "postconfirmation_kakao"), fixture(t, "token_v1_first_sign_in")}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for i := range 40 {
		wg.Go(func() {
			out, err := tr.Handle(t.Context(), events[i%2])
			if err != nil {
				t.Errorf("Handle: %v", err)
			} else if i%2 == 1 {
				mu.Lock()
				ids[claimOf(t, out)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	rows := 0
	if err := users.Walk(t.Context(), store, func(users.User) error { rows++; return nil }); err != nil || rows != 1 || len(ids) != 1 {
		t.Errorf("%d rows, ids %v, %v", rows, ids, err)
	}
}

// A sign-up that was lost for good is found at the next token.
func TestLostSignUpHeals(t *testing.T) {
	t.Parallel()
	store, down := openStore(t), &fakeStore{err: users.ErrUnavailable}
	lost := newWorld(t, func(c *lambda.Config) { c.Users = down })
	if _, err := lost.Handle(t.Context(), fixture(t, "postconfirmation_kakao")); err == nil {
		t.Fatal("a sign-up without a store succeeded")
	}
	w := newWorld(t, func(c *lambda.Config) { c.Users = store })
	out, err := w.Handle(t.Context(), fixture(t, "token_v1_first_sign_in"))
	if err != nil || claimOf(t, out) != "1" {
		t.Fatalf("Handle: %v", err)
	}
	if got := fmt.Sprint(w.attrs.sets); got != "[[ap-northeast-2_ExAmPlE01 Kakao_4000000001 custom:userId 1]]" {
		t.Errorf("set %v", got)
	}
}
