package sso_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// split returns the parts of a good token.
func split(token string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}

// part changes one part of a token.
func part(i int, change func(string) string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		parts[i] = change(parts[i])
		return strings.Join(parts, ".")
	}
}

func always(token string) func(string) string { return func(string) string { return token } }

// flipUnusedBit changes the last character so that it decodes to the same
// bytes in a lax decoder. A part whose length is a multiple of 4 has no
// unused bit.
func flipUnusedBit(s string) string {
	if len(s)%4 == 0 {
		panic("no unused bits")
	}
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last^1])
}

// unpadded gives header and payload lengths that leave bits unused, and that
// encodings with padding pad.
func unpadded(f *forge) {
	f.rawHeader, f.rawPayload = f.header.String(), f.payload.String()
	for len(f.rawHeader)%3 == 0 {
		f.rawHeader += " "
	}
	for len(f.rawPayload)%3 == 0 {
		f.rawPayload += " "
	}
}

// formAttempts are about the compact serialisation.
func formAttempts() []attempt {
	insert := func(what string) func(string) string {
		return func(s string) string { return s[:8] + what + s[8:] }
	}
	pad := func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }
	return []attempt{
		{name: "empty", want: sso.ErrMissing, text: always("")},
		{name: "a space", want: sso.ErrMalformed, text: always(" ")},
		{name: "one part", want: sso.ErrMalformed, text: always("abcd")},
		{name: "two parts", want: sso.ErrMalformed, text: func(s string) string { return s[:strings.LastIndexByte(s, '.')] }},
		{name: "four parts", want: sso.ErrMalformed, text: func(s string) string { return s + ".abcd" }},
		{name: "five parts, like a refresh token", want: sso.ErrMalformed, text: func(s string) string { return s + ".abcd.abcd" }},
		{name: "six parts", want: sso.ErrMalformed, text: func(s string) string { return s + ".a.b.c" }},
		{name: "trailing dot", want: sso.ErrMalformed, text: func(s string) string { return s + "." }},
		{name: "leading dot", want: sso.ErrMalformed, text: func(s string) string { return "." + s }},
		{name: "two dots only", want: sso.ErrMalformed, text: always("..")},
		{name: "empty header", want: sso.ErrMalformed, text: part(0, func(string) string { return "" })},
		{name: "empty payload", want: sso.ErrMalformed, text: part(1, func(string) string { return "" })},
		{name: "empty signature", want: sso.ErrMalformed, text: part(2, func(string) string { return "" })},
		{name: "leading space", want: sso.ErrMalformed, text: func(s string) string { return " " + s }},
		{name: "trailing space", want: sso.ErrMalformed, text: func(s string) string { return s + " " }},
		{name: "trailing newline", want: sso.ErrMalformed, text: func(s string) string { return s + "\n" }},
		{name: "trailing carriage return", want: sso.ErrMalformed, text: func(s string) string { return s + "\r" }},
		{name: "newline in header", want: sso.ErrMalformed, text: part(0, insert("\n"))},
		{name: "newline in payload", want: sso.ErrMalformed, text: part(1, insert("\n"))},
		{name: "newline in signature", want: sso.ErrMalformed, text: part(2, insert("\n"))},
		{name: "four newlines in signature", want: sso.ErrMalformed, text: part(2, insert("\n\n\n\n"))},
		{name: "carriage return in signature", want: sso.ErrMalformed, text: part(2, insert("\r"))},
		{name: "tab in signature", want: sso.ErrMalformed, text: part(2, insert("\t"))},
		{name: "NUL in payload", want: sso.ErrMalformed, text: part(1, insert("\x00"))},
		{name: "character outside ASCII", want: sso.ErrMalformed, text: part(1, insert("é"))},
		{name: "one dot outside ASCII", want: sso.ErrMalformed, text: func(s string) string { return strings.Replace(s, ".", "。", 1) }},
		{name: "padding on header", want: sso.ErrMalformed, edit: unpadded, text: part(0, pad)},
		{name: "padding on payload", want: sso.ErrMalformed, edit: unpadded, text: part(1, pad)},
		{name: "padding on signature", want: sso.ErrMalformed, text: part(2, pad)},
		{name: "standard alphabet", want: sso.ErrMalformed, text: part(2, func(s string) string { return s[:8] + "+/" + s[10:] })},
		{name: "percent encoding", want: sso.ErrMalformed, text: func(s string) string { return strings.Replace(s, ".", "%2E", 1) }},
		{name: "unused bits of header", want: sso.ErrMalformed, edit: unpadded, text: part(0, flipUnusedBit)},
		{name: "unused bits of payload", want: sso.ErrMalformed, edit: unpadded, text: part(1, flipUnusedBit)},
		{name: "unused bits of signature", want: sso.ErrMalformed, text: part(2, flipUnusedBit)},
		{name: "lengths that leave bits unused are fine", edit: unpadded},
		{name: "a lone last character", want: sso.ErrMalformed, text: part(2, func(s string) string { return s + strings.Repeat("A", (5-len(s)%4)%4) })},
		{name: "Bearer before it", want: sso.ErrMalformed, text: func(s string) string { return "Bearer " + s }},
		{name: "in quotes", want: sso.ErrMalformed, text: func(s string) string { return `"` + s + `"` }},
		{name: "flattened JSON serialisation", want: sso.ErrMalformed, text: func(s string) string {
			h, p, sig := split(s)
			return `{"protected":"` + h + `","payload":"` + p + `","signature":"` + sig + `"}`
		}},
		{name: "general JSON serialisation", want: sso.ErrMalformed, text: func(s string) string {
			h, p, sig := split(s)
			return `{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"` + sig + `"}]}`
		}},
		{name: "JSON serialisation with two dots", want: sso.ErrMalformed, text: func(s string) string {
			h, p, sig := split(s)
			return `{"protected":"` + h + `","payload":"` + p + `","signature":"` + sig + `","x":".."}`
		}},
		{name: "a token in a token", want: sso.ErrMalformed, edit: func(f *forge) { f.rawPayload = goodAccess().token() }},
		{name: "a token in a JSON string in a token", want: sso.ErrMalformed, edit: func(f *forge) { f.rawPayload = quote(goodAccess().token()) }},
		{name: "over 16 KiB", want: sso.ErrTooLarge, edit: func(f *forge) { f.payload.set("x", quote(strings.Repeat("x", 16<<10))) }},
		{name: "a megabyte of dots", want: sso.ErrTooLarge, text: always(strings.Repeat(".", 1<<20))},
		{name: "16 KiB of dots", want: sso.ErrMalformed, text: always(strings.Repeat(".", 16<<10))},
		{name: "16 KiB of nothing", want: sso.ErrMalformed, text: always(strings.Repeat("A", 16<<10))},
		{name: "at a larger limit", edit: func(f *forge) { f.payload.set("x", quote(strings.Repeat("x", 40<<10))) },
			config: func(cfg *sso.Config) { cfg.MaxTokenSize = 64 << 10 }},
		{name: "over a smaller limit", want: sso.ErrTooLarge, config: func(cfg *sso.Config) { cfg.MaxTokenSize = 100 }},
	}
}

// TestLineBreaksAnywhere holds that encoding/base64, which skips CR and LF,
// never makes a second spelling of a token: whatever the lengths of its parts,
// and wherever the breaks are.
func TestLineBreaksAnywhere(t *testing.T) {
	t.Parallel()
	v := verifier()
	for spaces := range 3 {
		f := goodAccess()
		f.rawHeader, f.rawPayload = f.header.String(), f.payload.String()
		for len(f.rawHeader)%3 != spaces {
			f.rawHeader += " "
		}
		for len(f.rawPayload)%3 != spaces {
			f.rawPayload += " "
		}
		token := f.token()
		if _, err := v.VerifyAccess(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		for at := range len(token) + 1 {
			for _, breaks := range []string{"\n", "\r", "\r\n", "\n\n\n", "\n\n\n\n", "\n\n\n\n\n"} {
				if _, err := v.VerifyAccess(t.Context(), token[:at]+breaks+token[at:]); !errors.Is(err, sso.ErrMalformed) {
					t.Fatalf("%q at %d of %d: %v", breaks, at, len(token), err)
				}
			}
		}
	}
}

func TestSizeLimitIsExact(t *testing.T) {
	t.Parallel()
	token := goodAccess().token()
	for _, row := range []struct {
		limit int
		want  error
	}{{len(token), nil}, {len(token) - 1, sso.ErrTooLarge}} {
		v := verifier(func(cfg *sso.Config) { cfg.MaxTokenSize = row.limit })
		tok, err := v.VerifyAccess(t.Context(), token)
		checkOutcome(t, row.want, tok, err, token)
	}
}

func TestRefreshTokenIsNamed(t *testing.T) {
	t.Parallel()
	// The parts of a JWE whose header says so, as Cognito's refresh tokens.
	refresh := encode([]byte(`{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}`)) + ".QUJD.REVG.R0hJ.SktM"
	_, err := verifier().VerifyAccess(t.Context(), refresh)
	if err == nil || !strings.Contains(err.Error(), "refresh token") {
		t.Errorf("the error does not say what it looks like: %v", err)
	}
}
