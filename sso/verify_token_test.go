package sso_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

func TestVerifyTakesEitherUse(t *testing.T) {
	t.Parallel()
	v := verifier()
	for use, f := range map[sso.TokenUse]*forge{sso.UseAccess: goodAccess(), sso.UseID: goodID()} {
		tok, err := v.Verify(t.Context(), f.token())
		if err != nil || tok.Use != use {
			t.Errorf("%s: use is %q, %v", use, tok.Use, err)
		}
	}
	// Each is still held to its own client claim.
	access := goodAccess()
	access.payload.drop("client_id")
	access.payload.set("aud", quote(clientID))
	id := goodID()
	id.payload.drop("aud")
	id.payload.set("client_id", quote(clientID))
	other := goodAccess()
	other.payload.set("token_use", `"refresh"`)
	for f, want := range map[*forge]error{access: sso.ErrClient, id: sso.ErrClient, other: sso.ErrTokenUse} {
		tok, err := v.Verify(t.Context(), f.token())
		checkOutcome(t, want, tok, err, f.token())
	}
}

// TestResultsCannotBeAltered holds what a shared memory of verified tokens
// will need: nobody can change what another one sees.
func TestResultsCannotBeAltered(t *testing.T) {
	t.Parallel()
	f := goodAccess()
	f.payload.set("identities", `[{"userId":"1","providerName":"Kakao"}]`)
	tok, err := verifier().VerifyAccess(t.Context(), f.token())
	if err != nil {
		t.Fatal(err)
	}
	shared := tok
	tok.Scopes()[0], tok.Groups()[0], tok.Identities()[0] = "evil", "evil", sso.Identity{UserID: "evil"}
	_ = append(tok.Scopes()[:0], "evil")
	var raw json.RawMessage
	if _, err := tok.Claim("cognito:groups", &raw); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] = 'x'
	}
	tok.Subject = "evil"
	if !shared.HasScope("openid") || shared.HasScope("evil") || !shared.HasGroup("staff") || shared.HasGroup("evil") ||
		shared.Identities()[0].UserID != "1" || shared.Subject != subject {
		t.Errorf("altered: %+v", shared)
	}
	var groups []string
	if ok, err := shared.Claim("cognito:groups", &groups); !ok || err != nil || !reflect.DeepEqual(groups, []string{"staff", "students"}) {
		t.Errorf("altered: %v, %v", groups, err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	f := goodAccess()
	f.payload.add("plan", `{"name":"canary","seats":3,"NAME":"x"}`)
	f.payload.add("big", `12345678901234567890`)
	f.payload.add("nothing", `null`)
	f.payload.add(`esc\u0061ped`, `1`)
	tok, err := verifier().VerifyAccess(t.Context(), f.token())
	if err != nil {
		t.Fatal(err)
	}
	var plan struct {
		Name  string `json:"name"`
		Seats int    `json:"seats"`
	}
	if ok, err := tok.Claim("plan", &plan); !ok || err != nil || plan.Name != "canary" || plan.Seats != 3 {
		t.Errorf("plan is %+v, %v, %v", plan, ok, err)
	}
	var big json.Number
	if ok, err := tok.Claim("big", &big); !ok || err != nil || big != "12345678901234567890" {
		t.Errorf("big is %v, %v, %v", big, ok, err)
	}
	var anything any
	if ok, err := tok.Claim("nothing", &anything); !ok || err != nil || anything != nil {
		t.Errorf("null: %v, %v, %v", anything, ok, err)
	}
	if ok, err := tok.Claim("escaped", &anything); !ok || err != nil || anything != 1.0 {
		t.Errorf("escaped name: %v, %v, %v", anything, ok, err)
	}
	for _, name := range []string{"", "Plan", "absent"} {
		if ok, err := tok.Claim(name, &anything); ok || err != nil {
			t.Errorf("%q: %v, %v", name, ok, err)
		}
	}
	var number int
	ok, err := tok.Claim("plan", &number)
	if !ok || !errors.Is(err, sso.ErrClaim) || strings.Contains(err.Error(), "canary") {
		t.Errorf("wrong type: %v, %v", ok, err)
	}
	if ok, err := tok.Claim("plan", plan); !ok || !errors.Is(err, sso.ErrClaim) {
		t.Errorf("no pointer: %v, %v", ok, err)
	}
	if ok, err := (sso.Token{}).Claim("sub", &anything); ok || err != nil {
		t.Errorf("zero Token: %v, %v", ok, err)
	}
}

func TestZeroToken(t *testing.T) {
	t.Parallel()
	var tok sso.Token
	if tok.Scopes() != nil || tok.Groups() != nil || tok.Identities() != nil || tok.HasScope("") || tok.HasGroup("") || tok.Machine() {
		t.Error("the zero Token has something")
	}
	if _, err := tok.UserID.Int64(); !errors.Is(err, sso.ErrNoUserID) {
		t.Errorf("user id: %v", err)
	}
}

func TestUserIDInt64(t *testing.T) {
	t.Parallel()
	for id, want := range map[sso.UserID]int64{"1": 1, "4711": 4711, sso.UserID(strconv.Itoa(math.MaxInt64)): math.MaxInt64} {
		if n, err := id.Int64(); n != want || err != nil || id.String() != string(id) {
			t.Errorf("%s: %d, %v", id, n, err)
		}
	}
	for id, want := range map[sso.UserID]error{
		"": sso.ErrNoUserID, "0": sso.ErrUserID, "-1": sso.ErrUserID, "01": sso.ErrUserID, "+1": sso.ErrUserID, "1 ": sso.ErrUserID,
		"9223372036854775808": sso.ErrUserID, "x": sso.ErrUserID, "1_0": sso.ErrUserID,
	} {
		if n, err := id.Int64(); n != 0 || !errors.Is(err, want) {
			t.Errorf("%q: %d, %v", id, n, err)
		}
	}
}

func TestReasonsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[sso.Reason]error{}
	for _, err := range append(sentinels, sso.ErrScope, sso.ErrGroup, sso.ErrNoUserID, context.Canceled, context.DeadlineExceeded) {
		r := sso.ReasonOf(fmt.Errorf("wrapped: %w", err))
		if r == "other" || r == "ok" || seen[r] != nil {
			t.Errorf("%v has the reason %q, as has %v", err, r, seen[r])
		}
		seen[r] = err
	}
	if sso.ReasonOf(nil) != "ok" || sso.ReasonOf(errors.New("x")) != "other" {
		t.Error("reasons of nil and of unknown errors")
	}
}

// TestExpiryFollowsTheClock has one token be good, and then not.
func TestExpiryFollowsTheClock(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64 // a refresh of the keys by age reads it too, in the background
	v := verifier(func(c *sso.Config) { c.Now = func() time.Time { return now.Add(time.Duration(ahead.Load())) } })
	token := goodAccess().token()
	for _, row := range []struct {
		at   time.Duration
		want error
	}{
		{0, nil}, {time.Hour - time.Nanosecond, nil}, {time.Hour, sso.ErrExpired}, {time.Hour + time.Second, sso.ErrExpired},
		{-time.Minute, nil}, {-6 * time.Minute, nil}, {-6*time.Minute - time.Second, sso.ErrNotYetValid},
	} {
		ahead.Store(int64(row.at))
		tok, err := v.VerifyAccess(t.Context(), token)
		checkOutcome(t, row.want, tok, err, token)
	}
}
