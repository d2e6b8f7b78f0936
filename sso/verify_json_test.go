package sso_test

import (
	"fmt"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// after appends to the payload, before to the front of it.
func afterPayload(s string) func(*forge) {
	return func(f *forge) { f.rawPayload = f.payload.String() + s }
}

func beforePayload(s string) func(*forge) {
	return func(f *forge) { f.rawPayload = s + f.payload.String() }
}

func payload(s string) func(*forge) { return func(f *forge) { f.rawPayload = s } }

func header(s string) func(*forge) { return func(f *forge) { f.rawHeader = s } }

// claim sets a claim to a value as it is written in JSON.
func claim(name, value string) func(*forge) {
	return func(f *forge) { f.payload.set(name, value) }
}

// again adds a claim a second time.
func again(name, value string) func(*forge) {
	return func(f *forge) { f.payload.add(name, value) }
}

func without(name string) func(*forge) { return func(f *forge) { f.payload.drop(name) } }

// jsonAttempts are about JSON with more than one reading, or absurd JSON.
func jsonAttempts() []attempt {
	good := goodAccess()
	goodHeader := good.header.String()
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"m%d":0`, i)
		}
		return b.String()
	}
	large := func(cfg *sso.Config) { cfg.MaxTokenSize = 64 << 10 }
	return []attempt{
		// The payload is one object and nothing else.
		{name: "payload is an array", want: sso.ErrMalformed, edit: payload(`[]`)},
		{name: "payload is null", want: sso.ErrMalformed, edit: payload(`null`)},
		{name: "payload is text", want: sso.ErrMalformed, edit: payload(`"{}"`)},
		{name: "payload is a number", want: sso.ErrMalformed, edit: payload(`1`)},
		{name: "payload is white space", want: sso.ErrMalformed, edit: payload(` `)},
		{name: "payload is not JSON", want: sso.ErrMalformed, edit: payload(`hello`)},
		{name: "payload is cut off", want: sso.ErrMalformed, edit: func(f *forge) { s := f.payload.String(); f.rawPayload = s[:len(s)-1] }},
		{name: "payload object, then an object", want: sso.ErrMalformed, edit: afterPayload(`{}`)},
		{name: "payload object, then garbage", want: sso.ErrMalformed, edit: afterPayload(`x`)},
		{name: "payload object, then a brace", want: sso.ErrMalformed, edit: afterPayload(`}`)},
		{name: "payload object, then NUL", want: sso.ErrMalformed, edit: afterPayload("\x00")},
		{name: "payload object, then white space is JSON", edit: afterPayload(" \n")},
		{name: "payload after white space is JSON", edit: beforePayload(" \t")},
		{name: "payload after a byte order mark", want: sso.ErrMalformed, edit: beforePayload("\ufeff")},
		{name: "payload in UTF-16", want: sso.ErrMalformed, edit: payload("\xff\xfe{\x00}\x00")},
		{name: "payload with a comment", want: sso.ErrMalformed, edit: beforePayload(`/**/`)},
		{name: "payload with a trailing comma", want: sso.ErrMalformed, edit: func(f *forge) {
			s := f.payload.String()
			f.rawPayload = s[:len(s)-1] + ",}"
		}},
		{name: "payload with single quotes", want: sso.ErrMalformed, edit: payload(`{'sub':'x'}`)},
		{name: "payload with NaN", want: sso.ErrMalformed, edit: claim("x", "NaN")},
		{name: "payload with Infinity", want: sso.ErrMalformed, edit: claim("x", "Infinity")},
		{name: "payload with a leading zero", want: sso.ErrMalformed, edit: claim("x", "01")},
		{name: "payload with a control character", want: sso.ErrMalformed, edit: claim("x", "\"\x01\"")},
		// One name, one value.
		{name: "claim twice, the same", want: sso.ErrMalformed, edit: again("sub", quote(subject))},
		{name: "client_id twice", want: sso.ErrMalformed, edit: again("client_id", `"evil"`)},
		{name: "exp twice", want: sso.ErrMalformed, edit: again("exp", "1")},
		{name: "unknown claim twice", want: sso.ErrMalformed, edit: func(f *forge) { f.payload.add("x", "1"); f.payload.add("x", "1") }},
		{name: "claim twice, once escaped", want: sso.ErrMalformed, edit: again(`s\u0075b`, `"evil"`)},
		{name: "twice inside a list inside a claim", want: sso.ErrMalformed, edit: claim("x", `[[{"y":[{"a":1,"a":1}]}]]`)},
		{name: "twice inside an object", want: sso.ErrMalformed, edit: claim("x", `{"a":{"b":1,"b":2}}`)},
		{name: "an empty name twice", want: sso.ErrMalformed, edit: claim("x", `{"":1,"":2}`)},
		{name: "one name in two objects is fine", edit: claim("x", `[{"a":1},{"a":1}]`)},
		{name: "a claim whose name is escaped is that claim", edit: func(f *forge) {
			f.payload.drop("sub")
			f.payload.add(`\u0073ub`, quote(subject))
		}},
		// Text.
		{name: "bad UTF-8 in a claim", want: sso.ErrMalformed, edit: claim("x", "\"\xff\"")},
		{name: "bad UTF-8 in a name", want: sso.ErrMalformed, edit: again("\xc3\x28", "1")},
		{name: "overlong UTF-8", want: sso.ErrMalformed, edit: claim("x", "\"\xc0\xae\"")},
		{name: "surrogate in UTF-8", want: sso.ErrMalformed, edit: claim("x", "\"\xed\xa0\x80\"")},
		{name: "lone high surrogate", want: sso.ErrMalformed, edit: claim("x", `"\ud800"`)},
		{name: "lone low surrogate", want: sso.ErrMalformed, edit: claim("x", `"\udc00"`)},
		{name: "lone surrogate in a name", want: sso.ErrMalformed, edit: again(`\ud800`, "1")},
		{name: "lone surrogate deep inside", want: sso.ErrMalformed, edit: claim("x", `[{"y":"\udfff"}]`)},
		{name: "surrogate pair is fine", edit: claim("x", `"\ud83d\ude00"`)},
		{name: "bad escape", want: sso.ErrMalformed, edit: claim("x", `"\x41"`)},
		// Exact names: a twin in other letters neither replaces nor disturbs.
		{name: "ISS beside iss is ignored", edit: again("ISS", `"https://evil"`)},
		{name: "Client_Id beside client_id is ignored", edit: again("Client_Id", `"evil"`)},
		{name: "sub with a long s is ignored", edit: again("ſub", `"evil"`)},
		{name: "EXP alone is no exp", want: sso.ErrClaim, edit: func(f *forge) { f.payload.drop("exp"); f.payload.add("EXP", unix(now.AddDate(0, 0, 1))) }},
		{name: "iss with a long s is no iss", want: sso.ErrIssuer, edit: func(f *forge) { f.payload.drop("iss"); f.payload.add("iſs", quote(originalIss)) }},
		{name: "to\u212aen_use is no token_use", want: sso.ErrTokenUse, edit: func(f *forge) { f.payload.drop("token_use"); f.payload.add("to\u212aen_use", `"access"`) }},
		// Absurd, within the size.
		{name: "nested 32 deep is fine", edit: claim("x", nested(31))},
		{name: "nested 33 deep", want: sso.ErrMalformed, edit: claim("x", nested(32))},
		{name: "nested 8,000 deep", want: sso.ErrMalformed, edit: claim("x", strings.Repeat("[", 8000)), config: large},
		{name: "nested 2,000 deep and closed", want: sso.ErrMalformed, edit: claim("x", nested(2000)), config: large},
		{name: "4,200 claims", want: sso.ErrMalformed, edit: func(f *forge) { s := f.payload.String(); f.rawPayload = s[:len(s)-1] + many(4200) + "}" }, config: large},
		{name: "5,000 elements", want: sso.ErrMalformed, edit: claim("x", "["+strings.Repeat("0,", 5000)+"0]")},
		{name: "a list inside a string is no nesting", edit: claim("x", quote(strings.Repeat(`[{"\`, 100)))},
		{name: "500 claims are fine", edit: func(f *forge) { s := f.payload.String(); f.rawPayload = s[:len(s)-1] + many(500) + "}" }},
		// The same for the header.
		{name: "header is an array", want: sso.ErrMalformed, edit: header(`[]`)},
		{name: "header is null", want: sso.ErrMalformed, edit: header(`null`)},
		{name: "header is not JSON", want: sso.ErrMalformed, edit: header(`alg=RS256`)},
		{name: "header after a byte order mark", want: sso.ErrMalformed, edit: header("\ufeff" + goodHeader)},
		{name: "header, then garbage", want: sso.ErrMalformed, edit: header(goodHeader + "x")},
		{name: "header, then an object", want: sso.ErrMalformed, edit: header(goodHeader + "{}")},
		{name: "header with bad UTF-8", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("x", "\"\xff\"") }},
		{name: "header with a lone surrogate", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("x", `"\ud800"`) }},
		{name: "alg twice", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("alg", `"RS256"`) }},
		{name: "alg twice, once escaped", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add(`\u0061lg`, `"none"`) }},
		{name: "kid twice", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("kid", `"x"`) }},
		{name: "twice inside jwk", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("jwk", `{"n":1,"n":2}`) }},
		{name: "header nested 9 deep", want: sso.ErrMalformed, edit: func(f *forge) { f.header.add("x", nested(8)) }},
		{name: "header nested 8 deep is fine", edit: func(f *forge) { f.header.add("x", nested(7)) }},
		{name: "header with 100 members", want: sso.ErrMalformed, edit: func(f *forge) { s := f.header.String(); f.rawHeader = s[:len(s)-1] + many(100) + "}" }},
	}
}
