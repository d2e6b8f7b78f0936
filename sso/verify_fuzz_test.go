package sso_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// known reports whether err is exactly one of the sentinels.
func known(err error) bool {
	n := 0
	for _, s := range sentinels {
		if errors.Is(err, s) {
			n++
		}
	}
	return n == 1
}

// FuzzToken holds that one token has one spelling: whoever holds a good token
// can make no other text of it that is accepted.
func FuzzToken(f *testing.F) {
	v := verifier()
	good := []string{goodAccess().token(), goodID().token(), goodMachine().token()}
	for _, token := range good {
		f.Add(token)
		f.Add(token + "=")
		f.Add(flipUnusedBit(token))
		f.Add(strings.Replace(token, ".", "\n.", 1))
		h, p, s := split(token)
		f.Add(`{"protected":"` + h + `","payload":"` + p + `","signature":"` + s + `"}`)
		f.Add(encode([]byte(`{"alg":"none"}`)) + "." + p + ".")
	}
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, token string) {
		tok, err := v.Verify(t.Context(), token)
		if err == nil {
			// The fuzzer makes its seeds anew in each process, with new keys,
			// so what it kept from another one is merely badly signed.
			if !slices.Contains(good, token) {
				t.Fatalf("accepted another spelling")
			}
			return
		}
		if !known(err) || tok.Subject != "" {
			t.Errorf("%v, %+v", err, tok)
		}
		if _, again := v.Verify(t.Context(), token); sso.ReasonOf(again) != sso.ReasonOf(err) {
			t.Errorf("first %v, then %v", err, again)
		}
	})
}

// FuzzHeader holds that no header but Cognito's own, in JSON's several
// spellings, is accepted.
func FuzzHeader(f *testing.F) {
	v := verifier()
	for _, seed := range []string{
		goodAccess().header.String(), `{}`, `{"alg":"none"}`, `{"alg":"RS256","kid":"x","crit":["x"]}`, `{"alg":"RS256","alg":"RS256"}`,
		`{"typ":"JWT","alg":"RS256","kid":"access+key/id=","jwk":{"kty":"RSA"}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if header == "" {
			return
		}
		token := goodAccess()
		token.rawHeader = header
		_, err := v.VerifyAccess(t.Context(), token.token())
		if err != nil {
			if !known(err) {
				t.Errorf("error is %v", err)
			}
			return
		}
		var oracle map[string]any
		if json.Unmarshal([]byte(header), &oracle) != nil || oracle["alg"] != "RS256" || oracle["kid"] != accessKeyID {
			t.Errorf("accepted the header %s", header)
		}
		for _, name := range []string{"crit", "b64", "zip"} {
			if _, ok := oracle[name]; ok {
				t.Errorf("accepted %s", name)
			}
		}
	})
}

// FuzzClaims signs any payload, and holds what is accepted against
// encoding/json's reading of it.
func FuzzClaims(f *testing.F) {
	v := verifier()
	for _, seed := range []*forge{goodAccess(), goodID(), goodMachine()} {
		f.Add(seed.payload.String())
	}
	for _, a := range slices.Concat(jsonAttempts(), timeAttempts(), userIDAttempts()) {
		token := goodAccess()
		if a.edit != nil && a.config == nil {
			a.edit(token)
		}
		if _, p, _ := split(token.signingInput() + "."); token.rawHeader == "" {
			f.Add(string(decode(p)))
		}
	}
	f.Fuzz(func(t *testing.T, payload string) {
		token := goodAccess()
		token.rawPayload = payload
		if payload == "" {
			return
		}
		tok, err := v.Verify(t.Context(), token.token())
		if err != nil {
			if !known(err) || tok.Subject != "" {
				t.Errorf("%v, %+v", err, tok)
			}
			return
		}
		var oracle map[string]any
		if err := json.Unmarshal([]byte(payload), &oracle); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if oracle["iss"] != tok.Issuer || oracle["sub"] != tok.Subject || oracle["token_use"] != string(tok.Use) {
			t.Errorf("read %+v from %s", tok, payload)
		}
		exp, ok := oracle["exp"].(float64)
		if !ok || exp <= float64(now.Unix()) || exp-float64(now.Unix()) > 25*3600 {
			t.Errorf("accepted exp %v", oracle["exp"])
		}
		if id, ok := oracle["custom:userId"]; ok && id != string(tok.UserID) && !tok.Machine() {
			t.Errorf("user id is %q of %v", tok.UserID, id)
		}
		if tok.UserID != "" {
			if _, err := tok.UserID.Int64(); err != nil {
				t.Errorf("user id %q: %v", tok.UserID, err)
			}
		}
		client := oracle["client_id"]
		if tok.Use == sso.UseID {
			client = oracle["aud"]
			if list, ok := client.([]any); ok && len(list) == 1 {
				client = list[0]
			}
		}
		if client != tok.ClientID || (tok.ClientID != clientID && tok.ClientID != "another-client") {
			t.Errorf("client is %q of %v", tok.ClientID, client)
		}
	})
}

// FuzzSignaturePart holds the canonical decoding against an oracle: what decodes
// encodes back to itself.
func FuzzSignaturePart(f *testing.F) {
	v := verifier()
	token := goodAccess().token()
	_, _, signature := split(token)
	f.Add(signature)
	f.Add(signature + "A")
	f.Add(flipUnusedBit(signature))
	f.Fuzz(func(t *testing.T, s string) {
		_, err := v.VerifyAccess(t.Context(), token[:len(token)-len(signature)]+s)
		b, decodeErr := base64.RawURLEncoding.DecodeString(s)
		canonical := decodeErr == nil && encode(b) == s && s != ""
		switch {
		case err == nil && s != signature:
			t.Error("another signature was accepted")
		case errors.Is(err, sso.ErrSignature) && !canonical:
			t.Errorf("decoded what is not canonical: %q", s)
		case errors.Is(err, sso.ErrMalformed) && canonical:
			t.Errorf("refused what is canonical: %q", s)
		}
	})
}
