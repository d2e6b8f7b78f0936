package sso_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// expire makes the token one that ended a minute ago.
func expire(f *forge) {
	f.payload.set("iat", unix(now.Add(-time.Hour)))
	f.payload.set("auth_time", unix(now.Add(-time.Hour)))
	f.payload.set("exp", unix(now.Add(-time.Minute)))
}

// TestAttackExposeExpired: what is exposed was signed by the pool, and wanting
// in nothing but its exp.
func TestAttackExposeExpired(t *testing.T) {
	t.Parallel()
	claim := func(name, value string) func(*forge) { return func(f *forge) { f.payload.set(name, value) } }
	for _, row := range []struct {
		name    string
		edit    func(f *forge)
		text    func(token string) string
		config  func(cfg *sso.Config)
		want    error
		exposed bool
	}{
		{name: "expired", want: sso.ErrExpired, exposed: true},
		{name: "expired at this moment", edit: claim("exp", unix(now)), want: sso.ErrExpired, exposed: true},
		{name: "good", edit: claim("exp", unix(now.Add(time.Second)))},
		{name: "good by the leeway", config: func(cfg *sso.Config) { cfg.Leeway = 2 * time.Minute }},
		{name: "expired beyond the leeway", config: func(cfg *sso.Config) { cfg.Leeway = time.Minute }, want: sso.ErrExpired, exposed: true},
		{name: "without the option", config: func(cfg *sso.Config) { cfg.ExposeExpired = false }, want: sso.ErrExpired},

		{name: "signed by another", edit: func(f *forge) { f.key = attackerKey() }, want: sso.ErrExpired},
		{name: "signed with the other key of the pool", edit: func(f *forge) { f.key = idKey() }, want: sso.ErrExpired},
		{name: "signature changed", text: func(s string) string {
			cut := strings.LastIndexByte(s, '.') + 1
			return s[:cut] + map[bool]string{true: "B", false: "A"}[s[cut] == 'A'] + s[cut+1:]
		}, want: sso.ErrExpired},
		{name: "no signature", text: func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }, want: sso.ErrMalformed},
		{name: "unknown key", edit: func(f *forge) { f.header.set("kid", `"made-up"`) }, want: sso.ErrExpired},
		{name: "HS256", edit: func(f *forge) { f.header.set("alg", `"HS256"`) }, want: sso.ErrAlgorithm},
		{name: "none", edit: func(f *forge) { f.header.set("alg", `"none"`) }, want: sso.ErrAlgorithm},
		{name: "another pool's", edit: claim("iss", `"https://cognito-idp.ap-northeast-2.amazonaws.com/ap-northeast-2_Other"`), want: sso.ErrIssuer},
		{name: "an ID token", edit: claim("token_use", `"id"`), want: sso.ErrTokenUse},
		{name: "another client's", edit: claim("client_id", `"another"`), want: sso.ErrClient},
		{name: "no exp", edit: func(f *forge) { f.payload.drop("exp") }, want: sso.ErrClaim},
		{name: "exp is text", edit: claim("exp", `"0"`), want: sso.ErrClaim},
		{name: "no iat", edit: func(f *forge) { f.payload.drop("iat") }, want: sso.ErrExpired},
		{name: "iat after exp", edit: claim("iat", unix(now)), want: sso.ErrExpired},
		{name: "a lifetime over a day", edit: claim("iat", unix(now.Add(-48*time.Hour))), want: sso.ErrExpired},
		{name: "nbf to come", edit: claim("nbf", unix(now.Add(time.Hour))), want: sso.ErrExpired},
		{name: "auth_time is text", edit: claim("auth_time", `"yesterday"`), want: sso.ErrExpired},
		{name: "no sub", edit: func(f *forge) { f.payload.drop("sub") }, want: sso.ErrExpired},
		{name: "bad user id", edit: claim("custom:userId", `"0"`), want: sso.ErrExpired},
		{name: "groups are no list", edit: claim("cognito:groups", `"staff"`), want: sso.ErrExpired},
		{name: "exp twice", edit: func(f *forge) { f.payload.add("exp", unix(now.Add(time.Hour))) }, want: sso.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := goodAccess()
			expire(f)
			if row.edit != nil {
				row.edit(f)
			}
			token := f.token()
			if row.text != nil {
				token = row.text(token)
			}
			cfg := config(serve(poolKeys()))
			cfg.ExposeExpired = true
			if row.config != nil {
				row.config(&cfg)
			}
			v, err := sso.NewVerifier(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			for range 2 { // also when keys and tokens are at hand
				tok, err := v.VerifyAccess(t.Context(), token)
				checkOutcome(t, row.want, tok, err, token)
				var expired *sso.ExpiredError
				if errors.As(err, &expired) != row.exposed {
					t.Fatalf("exposed: %v, want %v", !row.exposed, row.exposed)
				}
				if !row.exposed {
					continue
				}
				if got := expired.Token; got.Subject != subject || got.Use != sso.UseAccess || got.ClientID != clientID || !got.HasGroup("staff") || got.ExpiresAt.After(now) {
					t.Errorf("exposed %+v", got)
				}
				for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%q", err)} {
					if strings.Contains(text, subject) || strings.Contains(text, clientID) {
						t.Errorf("the error shows the token: %s", text)
					}
				}
			}
		})
	}
}

// TestExposeExpiredWithoutKeys: an outage and a caller who left change nothing
// about an expired token.
func TestExposeExpiredWithoutKeys(t *testing.T) {
	t.Parallel()
	server := serve("")
	server.set(func(*http.Request) (*http.Response, error) { return respond(500, ""), nil })
	cfg := config(server)
	cfg.ExposeExpired = true
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	f := goodAccess()
	expire(f)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), canceled} {
		_, err := v.VerifyAccess(ctx, f.token())
		var expired *sso.ExpiredError
		if !errors.Is(err, sso.ErrExpired) || errors.As(err, &expired) {
			t.Errorf("%v, want plain ErrExpired", err)
		}
	}
	if server.fetches.Load() == 0 {
		t.Error("the keys were not asked for: the signature cannot have been checked")
	}
}

// TestOptionsChangeNoOutcome runs the adversarial table with an Observer and
// with ExposeExpired: no token's fate changes, and of each the Observer is told
// once, with its reason and nothing that the token says.
func TestOptionsChangeNoOutcome(t *testing.T) {
	t.Parallel()
	for _, a := range slices.Concat(formAttempts(), jsonAttempts(), headerAttempts(), signatureAttempts(),
		issuerAttempts(), accessUseAttempts(), timeAttempts(), subjectAttempts(),
		userIDAttempts(), accessClaimAttempts(), precedenceAttempts()) {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			f := goodAccess()
			if a.edit != nil {
				a.edit(f)
			}
			token := f.token()
			if a.text != nil {
				token = a.text(token)
			}
			cfg := config(serve(poolKeys()))
			if a.config != nil {
				a.config(&cfg)
			}
			var w watcher
			cfg.Observer, cfg.ExposeExpired = &w, true
			v, err := sso.NewVerifier(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			tok, err := v.VerifyAccess(t.Context(), token)
			checkOutcome(t, a.want, tok, err, token)
			tokens, keys := w.take()
			if len(tokens) != 1 || tokens[0].Reason != sso.ReasonOf(a.want) || tokens[0].Use != sso.UseAccess || tokens[0].Remembered || tokens[0].Duration < 0 {
				t.Errorf("told %+v, want one event of %s", tokens, sso.ReasonOf(a.want))
			}
			for _, e := range keys {
				if e.Reason != sso.KeysOK || e.Issuer != originalIss && e.Issuer != updatedIss && !slices.Contains(cfg.Issuers, e.Issuer) && e.Issuer != cfg.JWKSURL {
					t.Errorf("told %+v", e)
				}
			}
		})
	}
}

// TestObserverEvents: use, reason and whether it was remembered, and each fetch.
func TestObserverEvents(t *testing.T) {
	t.Parallel()
	var w watcher
	server := serve(poolKeys())
	cfg := config(server)
	cfg.Observer = &w
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	old := goodID()
	expire(old)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	stranger := goodID()
	stranger.header.set("kid", `"unknown"`)
	stranger.key = attackerKey()
	for _, row := range []struct {
		name   string
		verify func(ctx context.Context, raw string) (sso.Token, error)
		ctx    context.Context
		token  string
		want   sso.VerifyEvent
	}{
		{"caller gone", v.VerifyAccess, canceled, goodAccess().token(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "canceled"}},
		{"access", v.VerifyAccess, t.Context(), goodAccess().token(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok"}},
		{"access again", v.VerifyAccess, t.Context(), goodAccess().token(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Remembered: true}},
		{"access, either would do", v.Verify, t.Context(), goodAccess().token(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok", Remembered: true}},
		{"access for ID", v.VerifyID, t.Context(), goodAccess().token(), sso.VerifyEvent{Use: sso.UseID, Reason: "token_use"}},
		{"ID, either would do", v.Verify, t.Context(), goodID().token(), sso.VerifyEvent{Use: sso.UseID, Reason: "ok"}},
		{"expired", v.VerifyID, t.Context(), old.token(), sso.VerifyEvent{Use: sso.UseID, Reason: "expired"}},
		{"bad, either would do", v.Verify, t.Context(), "minji@example.ac.kr", sso.VerifyEvent{Reason: "malformed"}},
		{"none", v.VerifyAccess, t.Context(), "", sso.VerifyEvent{Use: sso.UseAccess, Reason: "missing"}},
		{"unknown key", v.VerifyID, t.Context(), stranger.token(), sso.VerifyEvent{Use: sso.UseID, Reason: "unknown_key"}},
	} {
		_, _ = row.verify(row.ctx, row.token)
		tokens, keys := w.take()
		if len(tokens) != 1 {
			t.Errorf("%s: told of %d tokens, want 1", row.name, len(tokens))
			continue
		}
		got := tokens[0]
		got.Duration = 0
		if got != row.want {
			t.Errorf("%s: told %+v, want %+v", row.name, got, row.want)
		}
		for _, e := range keys {
			if e.Reason != sso.KeysOK || e.Keys != 2 || e.Age != 0 || e.Stale || e.Issuer != originalIss {
				t.Errorf("%s: told %+v", row.name, e)
			}
		}
	}
}
