package main

import (
	"crypto"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// attempt is a token for both verifiers.
type attempt struct {
	name string
	use  string // what it is verified as; access if empty
	make func() string
}

// edited makes an attempt that changes a good token before it is signed.
func edited(use, name string, edit func(c *candidate)) attempt {
	return attempt{name, use, func() string {
		c := goodCandidate(use)
		edit(c)
		return c.token()
	}}
}

// written makes an attempt that changes a good token afterwards.
func written(name string, change func(token string) string) attempt {
	return attempt{name, useAccess, func() string {
		c := goodCandidate(useAccess)
		// Lengths that leave bits unused in the last character of each part.
		for len(c.header)%3 != 1 {
			c.header = c.header[:len(c.header)-1] + " }"
		}
		for len(c.payload)%3 != 1 {
			c.payload = c.payload[:len(c.payload)-1] + " }"
		}
		return change(c.token())
	}}
}

// spelled makes an attempt that changes how header and payload are encoded,
// and signs that.
func spelled(name string, change func(header, payload string) string) attempt {
	return attempt{name, useAccess, func() string {
		c := goodCandidate(useAccess)
		for len(c.header)%3 != 1 {
			c.header = c.header[:len(c.header)-1] + " }"
		}
		for len(c.payload)%3 != 1 {
			c.payload = c.payload[:len(c.payload)-1] + " }"
		}
		input := change(encode([]byte(c.header)), encode([]byte(c.payload)))
		return input + "." + encode(c.sign(input))
	}}
}

// part changes one part of a token.
func part(i int, change func(string) string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		parts[i] = change(parts[i])
		return strings.Join(parts, ".")
	}
}

// header and claim make attempts that set a member to each of the values.
func header(name string, values ...string) []attempt {
	var list []attempt
	for _, value := range values {
		list = append(list, edited(useAccess, "header "+name+" is "+short(value), func(c *candidate) { c.header = with(c.header, name, value) }))
	}
	return list
}

func claim(use, name string, values ...string) []attempt {
	var list []attempt
	for _, value := range values {
		list = append(list, edited(use, use+" "+name+" is "+short(value), func(c *candidate) { c.payload = with(c.payload, name, value) }))
	}
	return list
}

// short is a value for the name of an attempt.
func short(value string) string {
	if value == "" {
		return "absent"
	}
	if len(value) > 120 {
		return fmt.Sprintf("%s… of %d bytes", value[:16], len(value))
	}
	return strings.NewReplacer(issuer, "ISSUER", clientID, "CLIENT").Replace(value)
}

func attempts() []attempt {
	lists := [][]attempt{
		{edited(useAccess, "access token as it is", func(*candidate) {}), edited(useID, "id token as it is", func(*candidate) {})},
		formAttempts(), jsonAttempts(), headerAttempts(), signatureAttempts(),
		timeAttempts(), issuerAttempts(), useAttempts(), claimAttempts(),
	}
	var all []attempt
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func formAttempts() []attempt {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	otherBits := func(s string) string {
		return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])^1])
	}
	pad := func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }
	insert := func(what string) func(string) string { return func(s string) string { return s[:9] + what + s[9:] } }
	none := func(string) string { return "" }
	var list []attempt
	for _, text := range []string{"", " ", ".", "..", "...", "x", "x.y", "x.y.z", "null", "{}", "é.é.é", strings.Repeat(".", 5000)} {
		list = append(list, attempt{"text " + strconv.Quote(short(text)), useAccess, func() string { return text }})
	}
	for i, name := range []string{"header", "payload", "signature"} {
		list = append(list,
			written("empty "+name, part(i, none)),
			written("padding on "+name, part(i, pad)),
			written("unused bits of "+name, part(i, otherBits)),
			written("newline in "+name, part(i, insert("\n"))),
			written("space in "+name, part(i, insert(" "))),
			written("plus in "+name, part(i, insert("+"))),
			written("slash in "+name, part(i, insert("/"))),
			written("NUL in "+name, part(i, insert("\x00"))),
			written("a lone last character of "+name, part(i, func(s string) string { return s + strings.Repeat("A", (5-len(s)%4)%4) })),
			written("three pads on "+name, part(i, func(s string) string { return s + "===" })),
		)
	}
	return append(list,
		spelled("signed as it is", func(h, p string) string { return h + "." + p }),
		spelled("signed with padding on header", func(h, p string) string { return pad(h) + "." + p }),
		spelled("signed with padding on payload", func(h, p string) string { return h + "." + pad(p) }),
		spelled("signed with unused bits of header", func(h, p string) string { return otherBits(h) + "." + p }),
		spelled("signed with unused bits of payload", func(h, p string) string { return h + "." + otherBits(p) }),
		spelled("signed with a newline in payload", func(h, p string) string { return h + "." + insert("\n")(p) }),
		spelled("signed with one pad too few on payload", func(h, p string) string { return h + "." + p + "=" }),
		written("leading space", func(s string) string { return " " + s }),
		written("trailing newline", func(s string) string { return s + "\n" }),
		written("trailing dot", func(s string) string { return s + "." }),
		written("leading dot", func(s string) string { return "." + s }),
		written("two parts", func(s string) string { return s[:strings.LastIndexByte(s, '.')] }),
		written("four parts", func(s string) string { return s + ".AAAA" }),
		written("five parts", func(s string) string { return s + ".AAAA.AAAA" }),
		written("Bearer before it", func(s string) string { return "Bearer " + s }),
		written("twice", func(s string) string { return s + s }),
		written("flattened JSON serialisation", func(s string) string {
			p := strings.Split(s, ".")
			return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
		}),
		edited(useAccess, "a token in a token", func(c *candidate) { c.payload = goodCandidate(useAccess).token() }),
		edited(useAccess, "over 16 KiB", func(c *candidate) { c.payload = with(c.payload, "x", `"`+strings.Repeat("x", 16<<10)+`"`) }),
	)
}

func jsonAttempts() []attempt {
	var list []attempt
	payload := func(name string, edit func(string) string) {
		list = append(list, edited(useAccess, "payload "+name, func(c *candidate) { c.payload = edit(c.payload) }))
	}
	head := func(name string, edit func(string) string) {
		list = append(list, edited(useAccess, "header "+name, func(c *candidate) { c.header = edit(c.header) }))
	}
	for name, suffix := range map[string]string{
		"with white space after": " \n\t", "with text after": "x", "twice": "{}", "with a comma after": ",", "with NUL after": "\x00",
	} {
		edit := func(s string) string { return s + suffix }
		payload(name, edit)
		head(name, edit)
	}
	for name, text := range map[string]string{"is null": "null", "is a list": "[]", "is a string": `"x"`, "is a number": "1", "is {}": "{}", "is unfinished": `{"a":1`} {
		edit := func(string) string { return text }
		payload(name, edit)
		head(name, edit)
	}
	front := func(first string) func(string) string {
		return func(s string) string { return "{" + first + "," + s[1:] }
	}
	back := func(last string) func(string) string {
		return func(s string) string { return s[:len(s)-1] + "," + last + "}" }
	}
	payload("with a byte order mark", func(s string) string { return "\ufeff" + s })
	payload("with invalid UTF-8", back("\"x\":\"\xff\""))
	payload("with an overlong NUL", back("\"x\":\"\xc0\x80\""))
	payload("with a lone surrogate", back(`"x":"\ud800"`))
	payload("with a raw control character", back("\"x\":\"\x01\""))
	payload("with a bad escape", back(`"x":"\q"`))
	payload("with a trailing comma", func(s string) string { return s[:len(s)-1] + ",}" })
	payload("with a comment", func(s string) string { return s[:len(s)-1] + "/**/}" })
	payload("with NaN", back(`"x":NaN`))
	payload("with a leading zero", back(`"x":01`))
	payload("with a plus sign", back(`"x":+1`))
	payload("with a duplicate of sub before", front(`"sub":"mallory"`))
	payload("with a duplicate of sub after", back(`"sub":"mallory"`))
	payload("with a duplicate spelled with an escape", back(`"s\u0075b":"mallory"`))
	payload("with a duplicate of a claim nobody knows", back(`"x":1,"x":2`))
	payload("with a duplicate within a claim", back(`"x":{"a":1,"a":2}`))
	payload("with EXP beside exp", back(`"EXP":1`))
	payload("with TOKEN_USE beside token_use", back(`"TOKEN_USE":"id"`))
	payload("with __proto__", back(`"__proto__":{"token_use":"id"}`))
	payload("with constructor", back(`"constructor":{"prototype":{}}`))
	payload("nested 20 deep", back(`"x":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)))
	payload("nested 500 deep", back(`"x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)))
	payload("with 5000 values", back(`"x":[0`+strings.Repeat(",0", 5000)+"]"))
	payload("with a huge integer", back(`"x":`+strings.Repeat("9", 400)))
	head("with a duplicate of alg", back(`"alg":"none"`))
	head("with a duplicate of kid before", front(`"kid":"plain"`))
	head("with ALG beside alg", back(`"ALG":"none"`))
	return list
}

func headerAttempts() []attempt {
	list := header("alg", "", `"none"`, `"None"`, `""`, `"rs256"`, `"RS256 "`, `"HS256"`, `"RS384"`, `"RS512"`, `"PS256"`, `"ES256"`, `"EdDSA"`, `null`, `256`, `["RS256"]`, `"RS\u0032\u00356"`)
	list = append(list, header("kid", "", `null`, `1`, `""`, `["x"]`, `"nobody"`, `"../../x"`, `"`+strings.Repeat("k", 300)+`"`, `"plain"`, `"enc"`, `"secret"`)...)
	list = append(list, header("crit", `["exp"]`, `["b64"]`, `[]`, `null`)...)
	list = append(list, header("b64", `false`, `true`)...)
	list = append(list, header("zip", `"DEF"`)...)
	list = append(list, header("typ", `"JWT"`, `"at+jwt"`, `"JWE"`, `1`, `null`)...)
	list = append(list, header("cty", `"JWT"`)...)
	list = append(list, header("jku", `"https://evil.example/jwks.json"`)...)
	list = append(list, header("x5c", `["MIIB"]`)...)
	return append(list, header("enc", `"A256GCM"`)...)
}

func signatureAttempts() []attempt {
	r := keys()
	by := func(name, kid, alg string, sign func(string) []byte) attempt {
		return edited(useAccess, name, func(c *candidate) {
			c.header = fmt.Sprintf(`{"kid":%q,"alg":%q}`, kid, alg)
			c.sign = sign
		})
	}
	signature := func(name string, change func([]byte) []byte) attempt {
		return written("signature "+name, part(2, func(s string) string { return encode(change(decode(s))) }))
	}
	return []attempt{
		by("signed by a stranger", poolKeyID, "RS256", rsaWith(r.stranger, crypto.SHA256)),
		by("signed by a stranger under their kid", "stranger", "RS256", rsaWith(r.stranger, crypto.SHA256)),
		edited(useAccess, "signed by the key in its header", func(c *candidate) {
			c.header = with(c.header, "jwk", fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, encode(r.stranger.key.N.Bytes())))
			c.sign = rsaWith(r.stranger, crypto.SHA256)
		}),
		by("by a key without alg and use", "plain", "RS256", rsaWith(r.plain, crypto.SHA256)),
		by("RS384 by a key without alg", "plain", "RS384", rsaWith(r.plain, crypto.SHA384)),
		by("RS512 by a key without alg", "plain", "RS512", rsaWith(r.plain, crypto.SHA512)),
		by("RS384 by a key for it", "rs384", "RS384", rsaWith(r.rs384, crypto.SHA384)),
		by("RS256 by a key for RS384", "rs384", "RS256", rsaWith(r.rs384, crypto.SHA256)),
		by("RS384 by the pool's key", poolKeyID, "RS384", rsaWith(r.pool, crypto.SHA384)),
		by("SHA-512 under RS256", poolKeyID, "RS256", rsaWith(r.pool, crypto.SHA512)),
		by("by a key for encryption", "enc", "RS256", rsaWith(r.enc, crypto.SHA256)),
		by("by a key whose key_ops is sign", "sign-only", "RS256", rsaWith(r.signOnly, crypto.SHA256)),
		by("by a key of 1024 bits", "short", "RS256", r.short.sign),
		by("by a key with exponent 3", "cubic", "RS256", r.cubic.sign),
		by("by a curve's key", "curve", "ES256", es256),
		by("by a curve's key as RS256", "curve", "RS256", es256),
		by("PSS under PS256", poolKeyID, "PS256", pssWith(r.pool)),
		by("PSS under RS256", poolKeyID, "RS256", pssWith(r.pool)),
		by("HMAC with the secret of the set", "secret", "HS256", hs256(r.secret)),
		by("HMAC with the public key", poolKeyID, "HS256", hs256(r.pool.key.N.Bytes())),
		by("HMAC with nothing", poolKeyID, "HS256", hs256(nil)),
		signature("of one byte", func([]byte) []byte { return []byte{1} }),
		signature("of zeros", func([]byte) []byte { return make([]byte, 256) }),
		signature("is one", func([]byte) []byte { return append(make([]byte, 255), 1) }),
		signature("is the modulus", func([]byte) []byte { return r.pool.key.N.Bytes() }),
		signature("with a zero before", func(b []byte) []byte { return append([]byte{0}, b...) }),
		signature("with a zero after", func(b []byte) []byte { return append(b, 0) }),
		signature("cut by a byte", func(b []byte) []byte { return b[:len(b)-1] }),
		signature("with a bit flipped", func(b []byte) []byte { b[7] ^= 4; return b }),
		written("user id changed", tamper),
		written("white space added to the payload", part(1, func(s string) string { return encode(append(decode(s), ' ')) })),
		written("header changed", part(0, func(s string) string { return encode(append(decode(s), ' ')) })),
	}
}

func timeAttempts() []attempt {
	odd := []string{"", `null`, `true`, `"1"`, `[1]`, `{}`, `-1`, `1e300`, `1e309`, `-9e15`, `9e15`, `9223372036854775808`, `1.5`, `-0`}
	list := claim(useAccess, "exp", append(odd, unix(-time.Second), unix(0), unix(time.Second), unix(0)+".5", unix(time.Hour)+".5", unix(time.Hour)+"e0",
		unix(23*time.Hour), unix(25*time.Hour), `"`+unix(time.Hour)+`"`, "0", "253402300799", "253402300800")...)
	list = append(list, claim(useAccess, "iat", append(odd, unix(0), unix(time.Minute), unix(4*time.Minute), unix(10*time.Minute), unix(2*time.Hour), unix(-23*time.Hour), unix(-24*time.Hour))...)...)
	list = append(list, claim(useAccess, "nbf", append(odd[1:], unix(-time.Second), unix(0), unix(time.Second), unix(0)+".5", unix(time.Hour))...)...)
	return append(list, claim(useAccess, "auth_time", append(odd, unix(-240*time.Hour))...)...)
}

func issuerAttempts() []attempt {
	q := strconv.Quote
	var list []attempt
	for _, use := range uses {
		list = append(list, claim(use, "iss", "", `null`, `1`, `""`, `["`+issuer+`"]`,
			q(issuer+"/"), q(issuer+" "), q(issuer[:len(issuer)-1]), q(strings.Replace(issuer, "https", "http", 1)),
			q(strings.Replace(issuer, ".com/", ".com:443/", 1)), q(strings.Replace(issuer, "cognito", "Cognito", 1)),
			q(strings.Replace(issuer, "//cognito", "//issuer-cognito", 1)), q(strings.Replace(issuer, "_AbC", "_XbC", 1)),
			q("https://evil.example/"+poolID), `"`+strings.ReplaceAll(issuer, "/", `\/`)+`"`)...)
	}
	return list
}

func useAttempts() []attempt {
	q := strconv.Quote
	list := []attempt{
		{"an access token as an id token", useID, func() string { return goodCandidate(useAccess).token() }},
		{"an id token as an access token", useAccess, func() string { return goodCandidate(useID).token() }},
	}
	for _, use := range uses {
		list = append(list, claim(use, "token_use", "", `null`, `1`, `""`, `"Access"`, `"ID"`, `"access "`, `["access"]`, `["id"]`, `"refresh"`)...)
	}
	values := []string{"", `null`, `1`, `""`, `{}`, q(clientID + " "), q(strings.ToUpper(clientID)), `"another"`, `[]`, `[""]`, `[1]`,
		`["` + clientID + `"]`, `["` + clientID + `","another"]`, `["another","` + clientID + `"]`, `[["` + clientID + `"]]`}
	list = append(list, claim(useAccess, "client_id", values...)...)
	list = append(list, claim(useID, "aud", values...)...)
	list = append(list, claim(useAccess, "aud", `"https://api.example.ac.kr"`, `["a","b"]`, `[]`, `1`, `null`, `{}`, `[1]`)...)
	list = append(list, claim(useID, "client_id", `"another"`)...)
	return append(list, edited(useAccess, "aud instead of client_id", func(c *candidate) {
		c.payload = with(with(c.payload, "client_id", ""), "aud", q(clientID))
	}))
}

func claimAttempts() []attempt {
	var list []attempt
	for _, use := range uses {
		list = append(list, claim(use, "sub", "", `null`, `1`, `""`, `["x"]`, `"`+strings.Repeat("s", 256)+`"`, `"no uuid"`)...)
		list = append(list, claim(use, "cognito:groups", "", `null`, `"staff"`, `1`, `[]`, `[1]`, `["staff",null]`, `{"0":"staff"}`, `[["staff"]]`)...)
		list = append(list, claim(use, "custom:userId", "", `"1"`, `1`, `null`, `""`, `"0"`, `"-1"`, `"01"`, `"1.0"`, `"x"`, `"9223372036854775807"`, `"9223372036854775808"`, `["1"]`)...)
		list = append(list, claim(use, "jti", "", `null`, `1`)...)
		list = append(list, claim(use, "origin_jti", "", `1`)...)
	}
	list = append(list, claim(useAccess, "scope", "", `null`, `1`, `["openid"]`, `""`, `"a  b"`)...)
	list = append(list, claim(useID, "scope", `"openid"`, `null`, `1`, `["openid"]`)...)
	list = append(list, claim(useAccess, "username", "", `null`, `1`, `""`)...)
	list = append(list, claim(useID, "cognito:username", "", `1`, `""`)...)
	list = append(list, claim(useID, "email", "", `1`, `null`)...)
	list = append(list, claim(useID, "email_verified", "", `"true"`, `"false"`, `1`, `null`)...)
	list = append(list, claim(useID, "name", `1`)...)
	list = append(list, claim(useID, "nonce", `"n"`, `1`)...)
	return append(list, claim(useID, "identities", "", `null`, `"[]"`, `[]`, `[1]`, `[{}]`, `{}`)...)
}
