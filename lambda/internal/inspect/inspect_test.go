package inspect_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/inspect"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// look verifies a token of the pool's and returns the checks.
func look(t *testing.T, pool *ssotest.Pool, raw string, change func(*sso.Config)) ([]inspect.Check, error) {
	t.Helper()
	cfg := pool.VerifierConfig(ssotest.DefaultClientID)
	cfg.ExposeExpired, cfg.TokenMemory = true, -1
	if change != nil {
		change(&cfg)
	}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), raw)
	return inspect.Decode(raw).Checks(cfg, err, cfg.Now()), err
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// changed replaces a part of a token.
func changed(raw string, part int, with string) string {
	parts := strings.Split(raw, ".")
	parts[part] = with
	return strings.Join(parts, ".")
}

// Every fault is told at the one check that it is of: those before it were
// passed, and those behind it were not reached.
func TestChecks(t *testing.T) {
	t.Parallel()
	pool := ssotest.NewPool(t, ssotest.Config{})
	good := pool.AccessToken(ssotest.Claims{UserID: "42"})
	with := func(name string, value any) string {
		return pool.AccessToken(ssotest.Claims{UserID: "42", Extra: map[string]any{name: value}})
	}
	without := func(name string) string { return pool.AccessToken(ssotest.Claims{Drop: []string{name}}) }
	signed := func(header string) string {
		return pool.Sign(sso.UseAccess, []byte(header), []byte(`{"iss":"x"}`))
	}
	now := time.Now()
	for name, row := range map[string]struct {
		raw     string
		refused string
		reason  sso.Reason
	}{
		"two parts":              {"a.b", "form", "malformed"},
		"refresh token":          {"a.b.c.d.e", "form", "malformed"},
		"empty part":             {changed(good, 2, ""), "form", "malformed"},
		"padding":                {good + "=", "form", "malformed"},
		"line break within":      {changed(good, 1, "e30\n"), "form", "malformed"},
		"too large":              {strings.Repeat("a", 20<<10), "form", "too_large"},
		"header no JSON":         {changed(good, 0, b64("x")), "header", "malformed"},
		"header twice alg":       {changed(good, 0, b64(`{"alg":"none","alg":"RS256","kid":"k"}`)), "header", "malformed"},
		"alg none":               {changed(good, 0, b64(`{"alg":"none"}`)), "algorithm", "algorithm"},
		"alg HS256":              {signed(`{"alg":"HS256","kid":"k"}`), "algorithm", "algorithm"},
		"crit":                   {signed(`{"alg":"RS256","kid":"k","crit":["x"]}`), "algorithm", "algorithm"},
		"no kid":                 {signed(`{"alg":"RS256"}`), "key id", "key_id"},
		"payload no JSON":        {changed(good, 1, b64("x")), "payload", "malformed"},
		"payload twice sub":      {changed(good, 1, b64(`{"sub":"a","sub":"b"}`)), "payload", "malformed"},
		"other issuer":           {with("iss", "https://evil.example"), "issuer", "issuer"},
		"no issuer":              {without("iss"), "issuer", "issuer"},
		"use refresh":            {with("token_use", "refresh"), "token use", "token_use"},
		"other client":           {with("client_id", "other"), "client", "client"},
		"no exp":                 {without("exp"), "expiry", "claim"},
		"exp is text":            {with("exp", "soon"), "expiry", "claim"},
		"key of nobody":          {changed(good, 0, b64(`{"alg":"RS256","kid":"nobody"}`)), "key", "unknown_key"},
		"signature of another":   {changed(good, 2, strings.Split(with("x", 1), ".")[2]), "signature", "signature"},
		"no iat":                 {without("iat"), "issue times", "claim"},
		"iat an hour ahead":      {with("iat", now.Add(time.Hour).Unix()), "issue times", "not_yet_valid"},
		"lives for a week":       {with("exp", now.Add(7*24*time.Hour).Unix()), "issue times", "claim"},
		"nbf ahead":              {with("nbf", now.Add(time.Hour).Unix()), "issue times", "not_yet_valid"},
		"nbf is text":            {with("nbf", "x"), "issue times", "claim"},
		"auth_time is text":      {with("auth_time", "x"), "issue times", "claim"},
		"no sub":                 {without("sub"), "subject, groups, scope", "claim"},
		"groups are text":        {with("cognito:groups", "staff"), "subject, groups, scope", "claim"},
		"scope is a list":        {with("scope", []string{"a"}), "subject, groups, scope", "claim"},
		"user id with zero":      {with("custom:userId", "042"), "user id", "user_id"},
		"user id is a number":    {with("custom:userId", 42), "user id", "user_id"},
		"username is a number":   {with("username", 1), "other claims", "claim"},
		"email is a number":      {with("email", 1), "other claims", "claim"},
		"identities are a text":  {with("identities", "x"), "other claims", "claim"},
		"origin_jti is a number": {with("origin_jti", 1), "other claims", "claim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := look(t, pool, row.raw, nil)
			if got := sso.ReasonOf(err); got != row.reason {
				t.Fatalf("the row is wrong: the reason is %s", got)
			}
			want := inspect.Passed
			for _, check := range list {
				if check.Name == row.refused {
					want = inspect.Refused
				}
				if check.Outcome != want {
					t.Errorf("%s is %q, want %q", check.Name, check.Outcome, want)
				}
				if check.Name == row.refused {
					want = inspect.NotReached
				}
			}
			if want != inspect.NotReached {
				t.Errorf("there is no check %q", row.refused)
			}
		})
	}
}

func outcomes(list []inspect.Check) map[string]inspect.Outcome {
	all := map[string]inspect.Outcome{}
	for _, c := range list {
		all[c.Name] = c.Outcome
	}
	return all
}

func TestChecksOfGoodTokens(t *testing.T) {
	t.Parallel()
	pool := ssotest.NewPool(t, ssotest.Config{})
	for name, raw := range map[string]string{
		"access": pool.AccessToken(ssotest.Claims{UserID: "42"}), "id": pool.IDToken(ssotest.Claims{UserID: "42", Email: "a@example.test"}),
		"machine": pool.AccessToken(ssotest.Claims{Machine: true}),
	} {
		list, err := look(t, pool, raw, nil)
		if err != nil || len(list) < 10 {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
		for _, c := range list {
			if c.Outcome != inspect.Passed {
				t.Errorf("%s: %s is %s", name, c.Name, c.Outcome)
			}
			if c.Name == "client" && c.Found != ssotest.DefaultClientID {
				t.Errorf("%s: client %q", name, c.Found)
			}
		}
	}
}

// Of an expired token the rest is told if the verifier tells it, and else
// nothing is said.
func TestExpired(t *testing.T) {
	t.Parallel()
	pool := ssotest.NewPool(t, ssotest.Config{})
	old := ssotest.Claims{IssuedAt: time.Now().Add(-3 * time.Hour), TTL: time.Hour}
	raw := pool.AccessToken(old)
	for name, row := range map[string]struct {
		raw       string
		change    func(*sso.Config)
		signature inspect.Outcome
	}{
		"good otherwise":       {raw, nil, inspect.Passed},
		"bad signature":        {changed(raw, 2, b64("x")), nil, inspect.Unknown},
		"verifier tells not":   {raw, func(c *sso.Config) { c.ExposeExpired = false }, inspect.Unknown},
		"keys of another pool": {raw, func(c *sso.Config) { c.JWKSURL = "http://127.0.0.1:1/" }, inspect.Unknown},
	} {
		list, err := look(t, pool, row.raw, row.change)
		got := outcomes(list)
		if !errors.Is(err, sso.ErrExpired) || got["expiry"] != inspect.Refused || got["client"] != inspect.Passed || got["signature"] != row.signature || got["other claims"] != row.signature {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Nothing is ok, and nothing refused, that the verifier could not decide.
func TestUndecided(t *testing.T) {
	t.Parallel()
	pool := ssotest.NewPool(t, ssotest.Config{})
	raw := pool.AccessToken(ssotest.Claims{})
	list, err := look(t, pool, raw, func(c *sso.Config) { c.JWKSURL = "http://127.0.0.1:1/" })
	if got := outcomes(list); !errors.Is(err, sso.ErrKeysUnavailable) || got["client"] != inspect.Passed || got["key"] != inspect.Unknown || got["signature"] != inspect.NotReached {
		t.Errorf("keys out of reach: %v, %v", got, err)
	}
	for name, err := range map[string]error{"canceled": context.Canceled, "of nobody": errors.New("new")} {
		for _, c := range inspect.Decode(raw).Checks(sso.Config{}, err, time.Now()) {
			if c.Outcome != inspect.Unknown {
				t.Errorf("%s: %s is %s", name, c.Name, c.Outcome)
			}
		}
	}
	for _, c := range inspect.Decode(raw).Unverified(time.Now()) {
		if c.Outcome != inspect.NotChecked {
			t.Errorf("without a verifier: %s is %s", c.Name, c.Outcome)
		}
	}
}

func TestPersonal(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"sub": true, "email": true, "name": true, "username": true, "cognito:username": true, "phone_number": true, "identities": true,
		"birthdate": true, "custom:studentNumber": true, "Iss": true, "": true, "nonce": true,
		"iss": false, "exp": false, "cognito:groups": false, "scope": false, "custom:userId": false,
	} {
		if got := (inspect.Member{Name: name}).Personal("custom:userId"); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		m    inspect.Member
		want string
	}{
		"text":        {inspect.Member{Name: "iss", JSON: `"https:\/\/x"`}, "https://x"},
		"list":        {inspect.Member{Name: "cognito:groups", JSON: `["a"]`}, `["a"]`},
		"ahead":       {inspect.Member{Name: "exp", JSON: "1767358800"}, "1767358800 (2026-01-02T13:00:00Z, in 1h0m)"},
		"ago":         {inspect.Member{Name: "iat", JSON: "1767096000"}, "1767096000 (2025-12-30T12:00:00Z, 3d0h ago)"},
		"no date":     {inspect.Member{Name: "nbf", JSON: `"x"`}, "x (no date)"},
		"far future":  {inspect.Member{Name: "exp", JSON: "1e300"}, "1e300 (no date)"},
		"not a date":  {inspect.Member{Name: "exp", JSON: "-1"}, "-1 (no date)"},
		"clears":      {inspect.Member{Name: "iss", JSON: `"\u001b[2J"`}, `\x1b[2J`},
		"turns round": {inspect.Member{Name: "iss", JSON: "\"\u202ex\""}, `\u202ex`},
	} {
		if got := row.m.Text(now); got != row.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := (inspect.Member{JSON: `"` + strings.Repeat("가", 5000) + `"`}).Text(now); len(got) > 1200 {
		t.Errorf("a long claim has %d bytes", len(got))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("e30.e30.e30")
	f.Add(b64(`{"alg":"RS256","kid":"k"}`) + "." + b64(`{"exp":1,"iss":"\u001b","aud":["a"],"x":"`+"\u202e"+`"}`) + ".c2ln")
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, raw string) {
		d := inspect.Decode(raw)
		parts := strings.Split(raw, ".")
		now := time.Unix(1e9, 0)
		var texts []string
		for _, c := range append(d.Unverified(now), d.Checks(sso.Config{}, sso.ErrMalformed, now)...) {
			texts = append(texts, c.Found, c.Want)
		}
		for _, m := range d.Payload {
			texts = append(texts, m.Text(now))
		}
		for _, text := range texts {
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q reaches the terminal", text)
			}
		}
		if d.Form && (len(parts) != 3 || parts[2] == "") {
			t.Errorf("form of %d parts", len(parts))
		}
	})
}
