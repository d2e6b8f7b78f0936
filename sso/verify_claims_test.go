package sso_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// issuerAttempts are about iss.
func issuerAttempts() []attempt {
	rows := []attempt{
		{name: "no iss", want: sso.ErrIssuer, edit: without("iss")},
		{name: "the updated issuer of the pool", edit: claim("iss", quote(updatedIss)), check: func(t *testing.T, tok sso.Token) {
			if tok.Issuer != updatedIss {
				t.Errorf("issuer is %q", tok.Issuer)
			}
		}},
		{name: "iss spelled with an escape is the same", edit: claim("iss", strings.ReplaceAll(quote(originalIss), "/", `\/`))},
		{name: "a further issuer", edit: claim("iss", `"https://cognito-idp.cn-north-1.amazonaws.com.cn/x"`),
			config: func(cfg *sso.Config) { cfg.Issuers = []string{"https://cognito-idp.cn-north-1.amazonaws.com.cn/x"} }},
		{name: "the pool's own beside a further issuer",
			config: func(cfg *sso.Config) { cfg.Issuers = []string{"https://cognito-idp.cn-north-1.amazonaws.com.cn/x"} }},
		{name: "a further issuer by its prefix", want: sso.ErrIssuer, edit: claim("iss", `"https://issuer.example/pools"`),
			config: func(cfg *sso.Config) { cfg.Issuers = []string{"https://issuer.example/pools/1"} }},
	}
	for _, iss := range []string{
		`null`, `1`, `""`, `true`,
		`[` + quote(originalIss) + `]`,
		quote(originalIss + "/"),
		quote(originalIss + " "),
		quote(originalIss + "x"),
		quote(originalIss + "\x00"),
		quote(originalIss[:len(originalIss)-1]),
		quote(strings.Replace(originalIss, "https", "http", 1)),
		quote(strings.Replace(originalIss, "https", "HTTPS", 1)),
		quote(strings.Replace(originalIss, ".com/", ".com:443/", 1)),
		quote(strings.Replace(originalIss, ".com/", ".com//", 1)),
		quote(strings.Replace(originalIss, "https://", "https://user@", 1)),
		quote(strings.Replace(originalIss, "cognito-idp", "Cognito-idp", 1)),
		quote(strings.Replace(originalIss, "amazonaws.com", "amazonaws.com.evil.example", 1)),
		quote(strings.Replace(originalIss, "ap-northeast-2.", "us-east-1.", 1)),
		quote(strings.Replace(originalIss, "AbCdEfGhI", "XbCdEfGhI", 1)),
		quote("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEfGhI"),
	} {
		rows = append(rows, attempt{name: "iss is " + iss, want: sso.ErrIssuer, edit: claim("iss", iss)})
	}
	return rows
}

// accessUseAttempts are about token_use and client_id of an access token.
func accessUseAttempts() []attempt {
	skip := func(cfg *sso.Config) { cfg.ClientIDs, cfg.InsecureSkipClientIDCheck = nil, true }
	rows := []attempt{
		{name: "an ID token", want: sso.ErrTokenUse, edit: func(f *forge) { *f = *goodID() }},
		{name: "a machine token", edit: func(f *forge) { *f = *goodMachine() }, check: func(t *testing.T, tok sso.Token) {
			if !tok.Machine() || tok.UserID != "" || tok.Subject != clientID {
				t.Errorf("token is %+v", tok)
			}
		}},
		{name: "a machine token with a userId has no user", edit: func(f *forge) { *f = *goodMachine(); f.payload.set("custom:userId", `"1"`) },
			check: func(t *testing.T, tok sso.Token) {
				if !tok.Machine() || tok.UserID != "" {
					t.Errorf("token is %+v", tok)
				}
			}},
		{name: "a machine token with a bad userId", want: sso.ErrUserID, edit: func(f *forge) { *f = *goodMachine(); f.payload.set("custom:userId", `1`) }},
		{name: "no username, but a user", edit: without("username"), check: func(t *testing.T, tok sso.Token) {
			if tok.Machine() {
				t.Error("taken for a machine")
			}
		}},
		{name: "no token_use", want: sso.ErrTokenUse, edit: without("token_use")},
		{name: "TOKEN_USE beside token_use is ignored", edit: again("TOKEN_USE", `"id"`)},
		{name: "no client_id", want: sso.ErrClient, edit: without("client_id")},
		{name: "no client_id, but aud", want: sso.ErrClient, edit: func(f *forge) { f.payload.drop("client_id"); f.payload.set("aud", quote(clientID)) }},
		{name: "a client that is not allowed", want: sso.ErrClient, edit: claim("client_id", `"another-client"`),
			config: func(cfg *sso.Config) { cfg.ClientIDs = []string{clientID} }},
		{name: "any client, unchecked", edit: claim("client_id", `"anybody"`), config: skip},
		{name: "no client, unchecked", want: sso.ErrClient, edit: without("client_id"), config: skip},
		{name: "an empty client, unchecked", want: sso.ErrClient, edit: claim("client_id", `""`), config: skip},
		{name: "a list of clients, unchecked", want: sso.ErrClient, edit: claim("client_id", `["x"]`), config: skip},
	}
	for _, use := range []string{`"id"`, `"Access"`, `"ACCESS"`, `"access "`, `"refresh"`, `""`, `null`, `1`, `["access"]`, `{"access":1}`} {
		rows = append(rows, attempt{name: "token_use is " + use, want: sso.ErrTokenUse, edit: claim("token_use", use)})
	}
	for _, id := range []string{`""`, `null`, `1`, `true`, `"evil"`, `["` + clientID + `"]`, quote(clientID + " "), quote(strings.ToUpper(clientID)), quote(clientID[1:]), quote(clientID + ",another-client")} {
		rows = append(rows, attempt{name: "client_id is " + id, want: sso.ErrClient, edit: claim("client_id", id)})
	}
	for _, aud := range []string{`"https://api.example"`, `"evil"`, `["a","b"]`, `[]`, `null`, `1`} {
		rows = append(rows, attempt{name: "aud is not looked at: " + aud, edit: claim("aud", aud)})
	}
	return rows
}

// idUseAttempts are about token_use and aud of an ID token.
func idUseAttempts() []attempt {
	rows := []attempt{
		{name: "as it is", check: checkGoodID},
		{name: "an access token", want: sso.ErrTokenUse, edit: func(f *forge) { *f = *goodAccess() }},
		{name: "a machine token", want: sso.ErrTokenUse, edit: func(f *forge) { *f = *goodMachine() }},
		{name: "token_use is Id", want: sso.ErrTokenUse, edit: claim("token_use", `"Id"`)},
		{name: "no token_use", want: sso.ErrTokenUse, edit: without("token_use")},
		{name: "aud is a list of one", edit: claim("aud", `["`+clientID+`"]`)},
		{name: "aud is a list of one with spaces", edit: claim("aud", `[ "`+clientID+`" ]`)},
		{name: "no aud", want: sso.ErrClient, edit: without("aud")},
		{name: "no aud, but client_id", want: sso.ErrClient, edit: func(f *forge) { f.payload.drop("aud"); f.payload.set("client_id", quote(clientID)) }},
		{name: "no aud, but azp", want: sso.ErrClient, edit: func(f *forge) { f.payload.drop("aud"); f.payload.set("azp", quote(clientID)) }},
		{name: "client_id is not looked at", edit: claim("client_id", `"evil"`)},
	}
	for _, aud := range []string{
		`""`, `null`, `1`, `{}`, `"evil"`, `[]`, `[""]`, `[null]`, `[1]`, `["evil"]`, `[["` + clientID + `"]]`,
		`["` + clientID + `","` + clientID + `"]`, `["` + clientID + `","another-client"]`, `["evil","` + clientID + `"]`,
		quote(clientID + " "), quote(strings.ToUpper(clientID)),
	} {
		rows = append(rows, attempt{name: "aud is " + aud, want: sso.ErrClient, edit: claim("aud", aud)})
	}
	return rows
}

// timeAttempts are about exp, iat, nbf and auth_time.
func timeAttempts() []attempt {
	at := func(name string, d time.Duration) func(*forge) { return claim(name, unix(now.Add(d))) }
	dates := func(iat, exp time.Duration) func(*forge) {
		return func(f *forge) { at("iat", iat)(f); at("exp", exp)(f) }
	}
	leeway := func(d time.Duration) func(*sso.Config) { return func(cfg *sso.Config) { cfg.Leeway = d } }
	rows := []attempt{
		{name: "no exp", want: sso.ErrClaim, edit: without("exp")},
		{name: "exp a second ago", want: sso.ErrExpired, edit: at("exp", -time.Second)},
		{name: "exp now", want: sso.ErrExpired, edit: at("exp", 0)},
		{name: "exp in a second", edit: at("exp", time.Second)},
		{name: "exp long ago", want: sso.ErrExpired, edit: claim("exp", "1")},
		{name: "exp is 0: expired, not absent", want: sso.ErrExpired, edit: claim("exp", "0")},
		{name: "exp is -0", want: sso.ErrExpired, edit: claim("exp", "-0")},
		{name: "exp in half a second", edit: claim("exp", unix(now)+".5")},
		{name: "exp half a second ago", want: sso.ErrExpired, edit: claim("exp", unix(now.Add(-time.Second))+".5")},
		{name: "exp with an exponent", edit: claim("exp", unix(now.Add(time.Hour))+"e0")},
		{name: "exp a second ago, within leeway", edit: at("exp", -time.Second), config: leeway(2 * time.Second)},
		{name: "exp as long ago as leeway", want: sso.ErrExpired, edit: at("exp", -2*time.Second), config: leeway(2 * time.Second)},
		{name: "EXP beside exp is ignored", want: sso.ErrExpired, edit: func(f *forge) { at("exp", -1)(f); f.payload.add("EXP", unix(now.Add(time.Hour))) }},
		{name: "exp in the last second of the year 9999", want: sso.ErrClaim, edit: claim("exp", "253402300799")},
		{name: "no iat", want: sso.ErrClaim, edit: without("iat")},
		{name: "iat now", edit: at("iat", 0)},
		{name: "iat a little ahead", edit: at("iat", time.Second)},
		{name: "iat 5 minutes ahead", edit: at("iat", 5*time.Minute)},
		{name: "iat more than 5 minutes ahead", want: sso.ErrNotYetValid, edit: at("iat", 5*time.Minute+time.Second)},
		{name: "iat 6 minutes ahead, with leeway", edit: at("iat", 6*time.Minute), config: leeway(time.Minute)},
		{name: "iat beyond leeway and 5 minutes", want: sso.ErrNotYetValid, edit: at("iat", 6*time.Minute+time.Second), config: leeway(time.Minute)},
		{name: "iat after exp", want: sso.ErrClaim, edit: dates(2*time.Minute, time.Minute)},
		{name: "iat is exp", edit: dates(time.Minute, time.Minute)},
		{name: "a life of 24 hours", edit: dates(-time.Hour, 23*time.Hour)},
		{name: "a life of over 24 hours", want: sso.ErrClaim, edit: dates(-time.Hour, 23*time.Hour+time.Second)},
		{name: "a life of over 24 hours, within leeway", edit: dates(-time.Hour, 23*time.Hour+time.Second), config: leeway(time.Second)},
		{name: "a life of a year", want: sso.ErrClaim, edit: dates(0, 365*24*time.Hour)},
		{name: "no nbf is fine", edit: without("nbf")},
		{name: "nbf now", edit: at("nbf", 0)},
		{name: "nbf in the past", edit: claim("nbf", "0")},
		{name: "nbf in a second", want: sso.ErrNotYetValid, edit: at("nbf", time.Second)},
		{name: "nbf in a second, within leeway", edit: at("nbf", time.Second), config: leeway(time.Second)},
		{name: "nbf in half a second", want: sso.ErrNotYetValid, edit: claim("nbf", unix(now)+".5")},
		{name: "no auth_time is fine", edit: without("auth_time"), check: func(t *testing.T, tok sso.Token) {
			if !tok.AuthTime.IsZero() {
				t.Errorf("auth_time is %v", tok.AuthTime)
			}
		}},
		{name: "auth_time long before iat", edit: claim("auth_time", "1000000000")},
	}
	// What is no date, is none for any of them.
	for _, value := range []string{
		`null`, `true`, `"1"`, `""`, `[1]`, `{}`, `-1`, `-0.5`, `1e300`, `1e309`, `-9e15`, `9e15`, `253402300800`, `253402300800.5`,
		`9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `1` + strings.Repeat("0", 400),
		`0.` + strings.Repeat("0", 400) + `1`, quote(unix(now.Add(time.Hour))), `"2026-01-02T04:04:05Z"`,
	} {
		for _, name := range []string{"exp", "iat", "nbf", "auth_time"} {
			short := value
			if len(short) > 24 {
				short = fmt.Sprintf("%s… (%d)", value[:8], len(value))
			}
			rows = append(rows, attempt{name: name + " is " + short, want: sso.ErrClaim, edit: claim(name, value)})
		}
	}
	return rows
}

// subjectAttempts are about sub, groups and what else both kinds have.
func subjectAttempts() []attempt {
	rows := []attempt{
		{name: "no sub", want: sso.ErrClaim, edit: without("sub")},
		{name: "SUB alone is no sub", want: sso.ErrClaim, edit: func(f *forge) { f.payload.drop("sub"); f.payload.add("SUB", `"x"`) }},
		{name: "sub of 255 bytes", edit: claim("sub", quote(strings.Repeat("s", 255)))},
		{name: "sub of 256 bytes", want: sso.ErrClaim, edit: claim("sub", quote(strings.Repeat("s", 256)))},
		{name: "sub that is no UUID", edit: claim("sub", `"anything"`)},
		{name: "no groups", edit: without("cognito:groups"), check: func(t *testing.T, tok sso.Token) {
			if tok.Groups() != nil || tok.HasGroup("") {
				t.Errorf("groups are %q", tok.Groups())
			}
		}},
		{name: "an empty list of groups", edit: claim("cognito:groups", `[]`), check: func(t *testing.T, tok sso.Token) {
			if len(tok.Groups()) != 0 {
				t.Errorf("groups are %q", tok.Groups())
			}
		}},
		{name: "the empty group is nobody's", edit: claim("cognito:groups", `[""]`), check: func(t *testing.T, tok sso.Token) {
			if tok.HasGroup("") {
				t.Error("in the group with the empty name")
			}
		}},
		{name: "a group with a comma and a space is one", edit: claim("cognito:groups", `["a, b"]`), check: func(t *testing.T, tok sso.Token) {
			if tok.HasGroup("a") || tok.HasGroup("b") || !tok.HasGroup("a, b") {
				t.Errorf("groups are %q", tok.Groups())
			}
		}},
		{name: "100 groups", edit: claim("cognito:groups", `["g"`+strings.Repeat(`,"gg"`, 99)+`]`)},
		{name: "jti is optional", edit: without("jti")},
		{name: "origin_jti is optional", edit: without("origin_jti")},
		{name: "claims that nobody knows are ignored", edit: again("acr", `{"new":["thing"]}`)},
	}
	for _, value := range []string{`""`, `null`, `1`, `["x"]`, `true`} {
		rows = append(rows, attempt{name: "sub is " + value, want: sso.ErrClaim, edit: claim("sub", value)})
	}
	for _, value := range []string{`"staff"`, `null`, `1`, `{"0":"staff"}`, `["staff",1]`, `["staff",null]`, `[["staff"]]`, `true`} {
		rows = append(rows, attempt{name: "cognito:groups is " + value, want: sso.ErrClaim, edit: claim("cognito:groups", value)})
	}
	for _, name := range []string{"jti", "origin_jti", "email", "name"} {
		for _, value := range []string{`null`, `1`, `["x"]`} {
			rows = append(rows, attempt{name: name + " is " + value, want: sso.ErrClaim, edit: claim(name, value)})
		}
	}
	return rows
}

// userIDAttempts are about the organisation's user id.
func userIDAttempts() []attempt {
	kind := func(k sso.UserIDKind) func(*sso.Config) { return func(cfg *sso.Config) { cfg.UserIDKind = k } }
	is := func(want sso.UserID) func(*testing.T, sso.Token) {
		return func(t *testing.T, tok sso.Token) {
			if tok.UserID != want {
				t.Errorf("user id is %q; want %q", tok.UserID, want)
			}
		}
	}
	const uuid = "0190f8a2-7c3e-7b1a-9d4e-2f6a8c0e4b12"
	rows := []attempt{
		{name: "no user id", edit: without("custom:userId"), check: is("")},
		{name: "custom:userid is not it", edit: func(f *forge) { f.payload.drop("custom:userId"); f.payload.add("custom:userid", `"1"`) }, check: is("")},
		{name: "custom:userid beside it is ignored", edit: again("custom:userid", `"1"`), check: is("4711")},
		{name: "another claim by configuration", edit: again("dev:uid", `"7"`), check: is("7"), config: func(cfg *sso.Config) { cfg.UserIDClaim = "dev:uid" }},
		{name: "sub by configuration", check: is(subject), config: func(cfg *sso.Config) { cfg.UserIDClaim, cfg.UserIDKind = "sub", sso.UserIDUUID }},
		{name: "the usual claim is nothing by configuration", edit: claim("custom:userId", `0`), check: is(""), config: func(cfg *sso.Config) { cfg.UserIDClaim = "dev:uid" }},
		{name: "integer 1", edit: claim("custom:userId", `"1"`), check: is("1")},
		{name: "integer 2^63-1", edit: claim("custom:userId", `"9223372036854775807"`), check: is("9223372036854775807")},
		{name: "UUID", edit: claim("custom:userId", quote(uuid)), config: kind(sso.UserIDUUID), check: is(uuid)},
		{name: "opaque of 128 bytes", edit: claim("custom:userId", quote(strings.Repeat("~", 128))), config: kind(sso.UserIDOpaque)},
	}
	bad := func(k sso.UserIDKind, name string, values ...string) {
		for _, value := range values {
			short := value
			if len(short) > 60 {
				short = fmt.Sprintf("%s… (%d)", value[:8], len(value))
			}
			rows = append(rows, attempt{name: name + " is " + short, want: sso.ErrUserID, edit: claim("custom:userId", value), config: kind(k)})
		}
	}
	bad(sso.UserIDInteger, "integer", `""`, `null`, `4711`, `0`, `true`, `["1"]`, `{}`, `"0"`, `"01"`, `"-1"`, `"+1"`, `"1.0"`, `"1e3"`, `"0x1"`,
		`" 1"`, `"1 "`, `"1\n"`, `"1\u0000"`, `"1,2"`, `"1_000"`, `"１"`, `"٣"`, `"abc"`, quote(uuid), `"9223372036854775808"`, `"18446744073709551617"`, `"99999999999999999999"`)
	bad(sso.UserIDUUID, "UUID", `""`, `null`, `1`, `"1"`, quote(strings.ToUpper(uuid)), quote("{"+uuid+"}"), quote("urn:uuid:"+uuid),
		quote(strings.ReplaceAll(uuid, "-", "")), quote(uuid+" "), quote(uuid[:35]), quote("g"+uuid[1:]), quote(strings.Replace(uuid, "-", "_", 1)))
	bad(sso.UserIDOpaque, "opaque", `""`, `null`, `1`, `" "`, `"a b"`, `"a\tb"`, `"a\u0000"`, `"é"`, `"\u007f"`, quote(strings.Repeat("x", 129)))
	return rows
}

// accessClaimAttempts are about what only an access token has.
func accessClaimAttempts() []attempt {
	scopes := func(want ...string) func(*testing.T, sso.Token) {
		return func(t *testing.T, tok sso.Token) {
			if got := tok.Scopes(); strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
				t.Errorf("scopes are %q; want %q", got, want)
			}
			if tok.HasScope("") {
				t.Error("has the empty scope")
			}
		}
	}
	rows := []attempt{
		{name: "no scope", edit: without("scope"), check: scopes()},
		{name: "an empty scope", edit: claim("scope", `""`), check: scopes()},
		{name: "one scope", edit: claim("scope", `"https://api.example/read"`), check: scopes("https://api.example/read")},
		{name: "scopes with two spaces", edit: claim("scope", `" a  b "`), check: scopes("a", "b")},
		{name: "a tab separates nothing", edit: claim("scope", `"a\tb c"`), check: scopes("a\tb", "c")},
		{name: "a newline separates nothing", edit: claim("scope", `"a\nb"`), check: scopes("a\nb")},
		{name: "a no-break space separates nothing", edit: claim("scope", `"a\u00a0b"`), check: scopes("a\u00a0b")},
		{name: "scp is not scope", edit: func(f *forge) { f.payload.drop("scope"); f.payload.add("scp", `["a"]`) }, check: scopes()},
		{name: "cognito:username is not looked at", edit: claim("cognito:username", `1`)},
	}
	for _, value := range []string{`null`, `1`, `["openid"]`, `{}`} {
		rows = append(rows, attempt{name: "scope is " + value, want: sso.ErrClaim, edit: claim("scope", value)})
	}
	for _, value := range []string{`null`, `1`, `""`, `["x"]`} {
		rows = append(rows, attempt{name: "username is " + value, want: sso.ErrClaim, edit: claim("username", value)})
	}
	return rows
}

// idClaimAttempts are about what only an ID token has.
func idClaimAttempts() []attempt {
	verified := func(want bool) func(*testing.T, sso.Token) {
		return func(t *testing.T, tok sso.Token) {
			if tok.EmailVerified != want {
				t.Errorf("email_verified is %v", tok.EmailVerified)
			}
		}
	}
	rows := []attempt{
		{name: "scope of an ID token is a list", want: sso.ErrClaim, edit: claim("scope", `["admin"]`)},
		{name: "scope of an ID token is a number", want: sso.ErrClaim, edit: claim("scope", `1`)},
		{name: "scope is no claim of an ID token", edit: claim("scope", `"admin"`), check: func(t *testing.T, tok sso.Token) {
			if tok.Scopes() != nil || tok.HasScope("admin") {
				t.Errorf("scopes are %q", tok.Scopes())
			}
		}},
		{name: "no email", edit: without("email")},
		{name: "email_verified is missing", edit: without("email_verified"), check: verified(false)},
		{name: `email_verified is "true"`, edit: claim("email_verified", `"true"`), check: verified(true)},
		{name: "no identities", edit: without("identities"), check: func(t *testing.T, tok sso.Token) {
			if tok.Identities() != nil {
				t.Errorf("identities are %+v", tok.Identities())
			}
		}},
		{name: "username is not looked at", edit: claim("username", `1`)},
		{name: "sub equal to the client is no machine", edit: func(f *forge) { claim("sub", quote(clientID))(f); without("cognito:username")(f) },
			check: func(t *testing.T, tok sso.Token) {
				if tok.Machine() || tok.UserID == "" {
					t.Error("taken for a machine")
				}
			}},
	}
	for _, value := range []string{`false`, `"false"`, `"True"`, `"TRUE"`, `"1"`, `1`, `null`, `["true"]`, `"yes"`, `" true"`} {
		rows = append(rows, attempt{name: "email_verified is " + value, edit: claim("email_verified", value), check: verified(false)})
	}
	for _, value := range []string{`null`, `1`, `""`} {
		rows = append(rows, attempt{name: "cognito:username is " + value, want: sso.ErrClaim, edit: claim("cognito:username", value)})
	}
	for _, name := range []string{"nonce", "at_hash"} {
		rows = append(rows, attempt{name: name + " is a number", want: sso.ErrClaim, edit: claim(name, `1`)})
	}
	for _, value := range []string{
		`null`, `1`, `""`, `"x"`, `{}`, `[1]`, `[null]`, `["Kakao"]`, `[[]]`, `"[1]"`,
		`[{}]`, `[{"providerName":"Kakao"}]`, `[{"userId":"1"}]`, `[{"userId":1,"providerName":"Kakao"}]`,
		`[{"userId":"","providerName":"Kakao"}]`, `[{"userId":"1","providerName":""}]`, `[{"userId":"1","providerName":["Kakao"]}]`,
		`[{"userId":"1","providerName":"Kakao","primary":"yes"}]`, `[{"userId":"1","providerName":"Kakao","primary":1}]`,
		`[{"userId":"1","providerName":"Kakao","dateCreated":"today"}]`, `[{"userId":"1","providerName":"Kakao","dateCreated":-1}]`,
		`[{"userId":"1","providerName":"Kakao","dateCreated":1e3}]`, `[{"userId":"1","providerName":"Kakao","providerType":1}]`,
		`[{"userId":"1","providerName":"Kakao"},1]`, `[{"USERID":"1","providerName":"Kakao"}]`,
		`"[{\"userId\":\"1\",\"userId\":\"2\",\"providerName\":\"Kakao\"}]"`,
	} {
		rows = append(rows, attempt{name: "identities is " + value, want: sso.ErrClaim, edit: claim("identities", value)})
	}
	for name, value := range map[string]string{
		"as in a token":                `[{"userId":"1","providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":"true","dateCreated":"1767323045000"}]`,
		"as in the attribute":          `[{"userId":"1","providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":1767323045000}]`,
		"as the attribute's text":      `"[{\"userId\":\"1\",\"providerName\":\"Kakao\",\"providerType\":\"OIDC\",\"issuer\":null,\"primary\":true,\"dateCreated\":1767323045000}]"`,
		"with a member nobody knows":   `[{"userId":"1","providerName":"Kakao","providerType":"OIDC","primary":"true","dateCreated":"1767323045000","x":{}}]`,
		"with a member in other cases": `[{"userId":"1","providerName":"Kakao","providerType":"OIDC","primary":"true","dateCreated":"1767323045000","USERID":"2"}]`,
	} {
		rows = append(rows, attempt{name: "identities " + name, edit: claim("identities", value), check: func(t *testing.T, tok sso.Token) {
			want := sso.Identity{Provider: "Kakao", ProviderType: "OIDC", UserID: "1", Primary: true, Created: time.UnixMilli(1767323045000).UTC()}
			if got := tok.Identities(); len(got) != 1 || got[0] != want {
				t.Errorf("identities are %+v", got)
			}
		}})
	}
	return rows
}

func checkGoodID(t *testing.T, tok sso.Token) {
	if tok.Use != sso.UseID || tok.Subject != subject || tok.UserID != "4711" || tok.Issuer != originalIss || tok.ClientID != clientID ||
		tok.Username != "Kakao_canary" || tok.Email != "canary@example.ac.kr" || !tok.EmailVerified || tok.Name != "Canary" {
		t.Errorf("token is %+v", tok)
	}
	if !tok.IssuedAt.Equal(now.Add(-time.Minute)) || !tok.AuthTime.Equal(tok.IssuedAt) || !tok.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("times are %v, %v, %v", tok.AuthTime, tok.IssuedAt, tok.ExpiresAt)
	}
	if ids := tok.Identities(); len(ids) != 1 || ids[0].Provider != "Kakao" || ids[0].UserID != "canary-1" || !ids[0].Primary {
		t.Errorf("identities are %+v", ids)
	}
}

// precedenceAttempts break one thing after the other, in the documented order,
// and expect the first.
func precedenceAttempts() []attempt {
	steps := []struct {
		name string
		want error
		edit func(*forge)
	}{
		{"alg", sso.ErrAlgorithm, head("alg", `"none"`)},
		{"kid", sso.ErrKeyID, head("kid", `""`)},
		{"payload", sso.ErrMalformed, func(f *forge) { f.rawPayload = f.payload.String() + "x" }},
		{"iss", sso.ErrIssuer, claim("iss", `"https://evil.example"`)},
		{"token_use", sso.ErrTokenUse, claim("token_use", `"id"`)},
		{"client", sso.ErrClient, claim("client_id", `"evil"`)},
		{"exp", sso.ErrExpired, claim("exp", "1")},
		{"key", sso.ErrUnknownKey, head("kid", `"unknown"`)},
		{"signature", sso.ErrSignature, func(f *forge) { f.key = attackerKey() }},
		{"nbf", sso.ErrNotYetValid, claim("nbf", unix(now.Add(time.Hour)))},
		{"sub", sso.ErrClaim, without("sub")},
		{"user id", sso.ErrUserID, claim("custom:userId", `0`)},
		{"jti", sso.ErrClaim, claim("jti", "1")},
	}
	var rows []attempt
	for i, first := range steps {
		rows = append(rows, attempt{name: "everything is wrong from " + first.name + " on", want: first.want, edit: func(f *forge) {
			for j := len(steps) - 1; j >= i; j-- {
				steps[j].edit(f) // backwards, so that the first one's header stands
			}
		}})
	}
	return rows
}
