package sso_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// head sets a member of the header to a value as it is written in JSON.
func head(name, value string) func(*forge) {
	return func(f *forge) { f.header.set(name, value) }
}

func headless(name string) func(*forge) { return func(f *forge) { f.header.drop(name) } }

// headerAttempts are about alg, kid and the members that ask for more.
func headerAttempts() []attempt {
	rows := []attempt{
		{name: "empty header object", want: sso.ErrAlgorithm, edit: header(`{}`)},
		{name: "no alg", want: sso.ErrAlgorithm, edit: headless("alg")},
		{name: "ALG alone is no alg", want: sso.ErrAlgorithm, edit: func(f *forge) { f.header.drop("alg"); f.header.add("ALG", `"RS256"`) }},
		{name: "ALG beside alg is ignored", edit: head("ALG", `"none"`)},
		{name: "alg spelled with an escape is the same", edit: head("alg", `"RS\u0032\u00356"`)},
		{name: "no kid", want: sso.ErrKeyID, edit: headless("kid")},
		{name: "KID alone is no kid", want: sso.ErrKeyID, edit: func(f *forge) { f.header.drop("kid"); f.header.add("KID", quote(accessKeyID)) }},
		{name: "kid is null", want: sso.ErrKeyID, edit: head("kid", `null`)},
		{name: "kid is a number", want: sso.ErrKeyID, edit: head("kid", `1`)},
		{name: "kid is a list", want: sso.ErrKeyID, edit: head("kid", `[`+quote(accessKeyID)+`]`)},
		{name: "kid is empty", want: sso.ErrKeyID, edit: head("kid", `""`)},
		{name: "kid of 257 bytes", want: sso.ErrKeyID, edit: head("kid", quote(strings.Repeat("k", 257)))},
		{name: "kid of 86 characters, 258 bytes", want: sso.ErrKeyID, edit: head("kid", quote(strings.Repeat("한", 86)))},
		{name: "kid of 256 bytes is looked up", want: sso.ErrUnknownKey, edit: head("kid", quote(strings.Repeat("k", 256)))},
		{name: "unknown kid", want: sso.ErrUnknownKey, edit: head("kid", `"nobody"`)},
		{name: "kid as a path", want: sso.ErrUnknownKey, edit: head("kid", `"../../../../dev/null"`)},
		{name: "kid as a query", want: sso.ErrUnknownKey, edit: head("kid", `"x' OR '1'='1"`)},
		{name: "kid with NUL", want: sso.ErrUnknownKey, edit: head("kid", quote(accessKeyID+"\x00"))},
		{name: "kid in other case", want: sso.ErrUnknownKey, edit: head("kid", quote(strings.ToUpper(accessKeyID)))},
		{name: "kid spelled with an escape is the same", edit: head("kid", `"\u0061ccess+key\/id="`)},
		{name: "typ is not looked at", edit: head("typ", `"at+jwt"`)},
		{name: "typ of another kind is not looked at", edit: head("typ", `["JWE",1]`)},
		{name: "cty is not looked at", edit: head("cty", `"JWT"`)},
		{name: "CRIT is not crit", edit: head("CRIT", `["exp"]`)},
	}
	for _, alg := range []string{
		`"none"`, `"None"`, `"NONE"`, `""`, `"rs256"`, `"Rs256"`, `"RS256 "`, `" RS256"`, `"RS256\u0000"`, `"HS256"`, `"RS384"`, `"RS512"`,
		`"PS256"`, `"ES256"`, `"EdDSA"`, `"RSA-OAEP"`, `null`, `256`, `true`, `["RS256"]`, `{"alg":"RS256"}`,
	} {
		rows = append(rows, attempt{name: "alg is " + alg, want: sso.ErrAlgorithm, edit: head("alg", alg)})
	}
	for name, values := range map[string][]string{
		"crit": {`["exp"]`, `["b64"]`, `[]`, `null`, `"exp"`},
		"b64":  {`false`, `true`, `null`},
		"zip":  {`"DEF"`, `null`, `""`},
	} {
		for _, value := range values {
			rows = append(rows, attempt{name: name + " is " + value, want: sso.ErrAlgorithm, edit: head(name, value)})
		}
	}
	return rows
}

// resign replaces the signature.
func resign(sign func(input string) []byte) func(string) string {
	return func(token string) string {
		input := token[:strings.LastIndexByte(token, '.')]
		return input + "." + encode(sign(input))
	}
}

// byAttacker has the attacker sign with a key of their own, and put it where
// a careless verifier would look for it.
func byAttacker(name, value string) func(*forge) {
	return func(f *forge) {
		f.key = attackerKey()
		f.header.set(name, value)
	}
}

// signatureAttempts are about who signed what.
func signatureAttempts() []attempt {
	attacker := func(f *forge) { f.key = attackerKey() }
	return []attempt{
		{name: "as it is", check: checkGoodAccess},
		{name: "signed by somebody else", want: sso.ErrSignature, edit: attacker},
		{name: "signed by somebody else under an unknown kid", want: sso.ErrUnknownKey, edit: byAttacker("kid", `"mine"`)},
		{name: "key in jwk", want: sso.ErrSignature, edit: byAttacker("jwk", jwk(accessKeyID, attackerKey()))},
		{name: "key at jku", want: sso.ErrSignature, edit: byAttacker("jku", `"https://evil.example/jwks.json"`)},
		{name: "key at x5u", want: sso.ErrSignature, edit: byAttacker("x5u", `"https://evil.example/cert.pem"`)},
		{name: "key in x5c", want: sso.ErrSignature, edit: byAttacker("x5c", `["MIIB"]`)},
		{name: "jku of good tokens is not used", edit: head("jku", `"https://evil.example/jwks.json"`)},
		{name: "signed with the pool's other key", want: sso.ErrSignature, edit: func(f *forge) { f.key = idKey() }},
		{name: "under the kid of the pool's other key", want: sso.ErrSignature, edit: head("kid", quote(idKeyID))},
		{name: "signed with the pool's other key under its kid", edit: func(f *forge) {
			f.key = idKey() // which key signs which kind is published nowhere
			f.header.set("kid", quote(idKeyID))
		}},
		{name: "HMAC with the public key", want: sso.ErrAlgorithm, edit: head("alg", `"HS256"`), text: resign(hmacWithPublicKey)},
		{name: "HMAC with the public key, alg as usual", want: sso.ErrSignature, text: resign(hmacWithPublicKey)},
		{name: "PSS, alg as usual", want: sso.ErrSignature, text: resign(func(input string) []byte {
			digest := sha256.Sum256([]byte(input))
			sig, err := rsa.SignPSS(rand.Reader, accessKey(), crypto.SHA256, digest[:], nil)
			if err != nil {
				panic(err)
			}
			return sig
		})},
		{name: "SHA-512, alg as usual", want: sso.ErrSignature, text: resign(func(input string) []byte {
			digest := sha512.Sum512([]byte(input))
			sig, err := rsa.SignPKCS1v15(nil, accessKey(), crypto.SHA512, digest[:])
			if err != nil {
				panic(err)
			}
			return sig
		})},
		{name: "no hash named in the signature", want: sso.ErrSignature, text: resign(func(input string) []byte {
			digest := sha256.Sum256([]byte(input))
			sig, err := rsa.SignPKCS1v15(nil, accessKey(), 0, digest[:])
			if err != nil {
				panic(err)
			}
			return sig
		})},
		{name: "signature of zeros", want: sso.ErrSignature, text: resign(func(string) []byte { return make([]byte, 256) })},
		{name: "signature is the number one", want: sso.ErrSignature, text: resign(func(string) []byte { return append(make([]byte, 255), 1) })},
		{name: "signature is the modulus", want: sso.ErrSignature, text: resign(func(string) []byte { return accessKey().N.Bytes() })},
		{name: "signature of one byte", want: sso.ErrSignature, text: resign(func(string) []byte { return []byte{1} })},
		{name: "signature cut by a byte", want: sso.ErrSignature, text: part(2, func(s string) string { return encode(decode(s)[:255]) })},
		{name: "signature with a zero byte before", want: sso.ErrSignature, text: part(2, func(s string) string { return encode(append([]byte{0}, decode(s)...)) })},
		{name: "signature with a byte after", want: sso.ErrSignature, text: part(2, func(s string) string { return encode(append(decode(s), 0)) })},
		{name: "one bit of the signature", want: sso.ErrSignature, text: part(2, func(s string) string { b := decode(s); b[100] ^= 1; return encode(b) })},
		{name: "signature of another token", want: sso.ErrSignature, text: func(s string) string {
			other := goodAccess()
			other.payload.set("jti", `"other"`)
			_, _, sig := split(other.token())
			return s[:strings.LastIndexByte(s, '.')+1] + sig
		}},
		{name: "userId changed after signing", want: sso.ErrSignature, text: part(1, func(s string) string {
			return encode([]byte(strings.Replace(string(decode(s)), `"4711"`, `"1"`, 1)))
		})},
		{name: "white space added after signing", want: sso.ErrSignature, text: part(1, func(s string) string { return encode(append(decode(s), ' ')) })},
		{name: "header changed after signing", want: sso.ErrSignature, text: part(0, func(s string) string { return encode(append(decode(s), ' ')) })},
	}
}

func decode(s string) []byte {
	b, err := base64url.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func hmacWithPublicKey(input string) []byte {
	der, err := x509.MarshalPKIXPublicKey(accessKey().Public())
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return mac.Sum(nil)
}

func checkGoodAccess(t *testing.T, tok sso.Token) {
	if tok.Use != sso.UseAccess || tok.Subject != subject || tok.UserID != "4711" || tok.Issuer != originalIss || tok.ClientID != clientID ||
		tok.Username != "Kakao_canary" || tok.ID != "jti-canary" || tok.OriginID != "origin-canary" || tok.Email != "" {
		t.Errorf("token is %+v", tok)
	}
	if !tok.HasScope("api/read") || tok.HasScope("api") || !tok.HasGroup("staff") || tok.HasGroup("Staff") || tok.Machine() {
		t.Errorf("rights are %q and %q", tok.Scopes(), tok.Groups())
	}
}
