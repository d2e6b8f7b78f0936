package jose_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func sign(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key(), crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return sig
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// modulus returns an odd number of exactly so many bits. Nothing is signed
// with it.
func modulus(bits int) string {
	n := new(big.Int).SetBit(new(big.Int), bits-1, 1)
	return b64(n.SetBit(n, 0, 1).Bytes())
}

// entry makes a JWK of members, of which later ones replace earlier ones and
// "" drops one.
func entry(members ...string) string {
	order := []string{"kid", "kty", "alg", "use", "n", "e"}
	values := map[string]string{
		"kid": `"k"`, "kty": `"RSA"`, "alg": `"RS256"`, "use": `"sig"`, "n": `"` + b64(key().N.Bytes()) + `"`, "e": `"AQAB"`,
	}
	for i := 0; i < len(members); i += 2 {
		if _, ok := values[members[i]]; !ok {
			order = append(order, members[i])
		}
		values[members[i]] = members[i+1]
	}
	var parts []string
	for _, name := range order {
		if values[name] != "" {
			parts = append(parts, `"`+name+`":`+values[name])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func set(entries ...string) string { return `{"keys":[` + strings.Join(entries, ",") + `]}` }

func TestVerify(t *testing.T) {
	t.Parallel()
	s, err := jose.ParseSet([]byte(set(entry())))
	if err != nil {
		t.Fatal(err)
	}
	k, ok := s.Key("k")
	if !ok {
		t.Fatal("no key")
	}
	if err := k.Verify([]byte("input"), sign("input")); err != nil {
		t.Error(err)
	}
	for name, sig := range map[string][]byte{
		"another text": sign("other"), "none": nil, "short": {1}, "long": append(sign("input"), 0), "zeros": make([]byte, 256),
	} {
		if err := k.Verify([]byte("input"), sig); !errors.Is(err, jose.ErrSignature) {
			t.Errorf("signature of %s: %v", name, err)
		}
	}
}

func TestSetEqual(t *testing.T) {
	t.Parallel()
	parse := func(entries ...string) *jose.Set {
		s, err := jose.ParseSet([]byte(set(entries...)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	other := entry("n", `"`+modulus(2048)+`"`)
	one := parse(entry())
	for _, row := range []struct {
		name string
		set  *jose.Set
		want bool
	}{
		{"itself", one, true},
		{"other members, other order", parse(`{}`, entry("x5t", `"x"`, "alg", "")), true},
		{"another key", parse(other), false},
		{"another exponent", parse(entry("e", `"AQAD"`)), false},
		{"another id", parse(entry("kid", `"l"`)), false},
		{"a key more", parse(entry(), entry("kid", `"l"`)), false},
		{"none", nil, false},
	} {
		if one.Equal(row.set) != row.want || row.set.Equal(one) != row.want {
			t.Errorf("%s: not %t", row.name, row.want)
		}
	}
	var none *jose.Set
	if !none.Equal(nil) {
		t.Error("none is not none")
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	fullKey := key()
	for _, row := range []struct {
		name   string
		entry  string
		usable bool
	}{
		{"as Cognito's", entry(), true},
		{"no alg", entry("alg", ""), true},
		{"no use", entry("use", ""), true},
		{"key_ops with verify", entry("key_ops", `["verify"]`), true},
		{"key_ops with verify and more", entry("key_ops", `["sign","verify"]`), true},
		{"unknown members", entry("x5t", `"x"`, "new", `{"a":[1]}`), true},
		{"modulus with a zero byte before", entry("n", `"`+b64(append([]byte{0}, fullKey.N.Bytes()...))+`"`), true},
		{"exponent with a zero byte before", entry("e", `"AAEAAQ"`), true},
		{"2048 bits", entry("n", `"`+modulus(2048)+`"`), true},
		{"8192 bits", entry("n", `"`+modulus(8192)+`"`), true},
		{"kid of 256 bytes", entry("kid", `"`+strings.Repeat("k", 256)+`"`), true},
		{"kid of any characters", entry("kid", `"a/b+c= \u0000\"한"`), true},
		{"a private key", entry("d", `"AQAB"`, "p", `"AQAB"`, "q", `"AQAB"`), true},
		{"member names in other case beside", entry("KTY", `"oct"`, "N", `"x"`), true},

		{"no kid", entry("kid", ""), false},
		{"empty kid", entry("kid", `""`), false},
		{"kid is a number", entry("kid", `1`), false},
		{"kid is null", entry("kid", `null`), false},
		{"kid of 257 bytes", entry("kid", `"`+strings.Repeat("k", 257)+`"`), false},
		{"kid twice", entry(`k\u0069d`, `"x"`), false},
		{"no kty", entry("kty", ""), false},
		{"kty in other case", entry("kty", `"rsa"`), false},
		{"KTY only", entry("kty", "", "KTY", `"RSA"`), false},
		{"symmetric", `{"kid":"k","kty":"oct","alg":"HS256","k":"AAAA"}`, false},
		{"elliptic", `{"kid":"k","kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, false},
		{"Ed448", `{"kid":"k","kty":"OKP","crv":"Ed448","x":"AA"}`, false},
		{"kty of the future", entry("kty", `"PQC"`), false},
		{"use enc", entry("use", `"enc"`), false},
		{"use null", entry("use", `null`), false},
		{"use list", entry("use", `["sig"]`), false},
		{"alg RS512", entry("alg", `"RS512"`), false},
		{"alg PS256", entry("alg", `"PS256"`), false},
		{"alg RSA-OAEP", entry("alg", `"RSA-OAEP"`), false},
		{"alg none", entry("alg", `"none"`), false},
		{"alg null", entry("alg", `null`), false},
		{"key_ops sign", entry("key_ops", `["sign"]`), false},
		{"key_ops empty", entry("key_ops", `[]`), false},
		{"key_ops text", entry("key_ops", `"verify"`), false},
		{"key_ops null", entry("key_ops", `null`), false},
		{"key_ops with a number", entry("key_ops", `["verify",1]`), false},
		{"no n", entry("n", ""), false},
		{"no e", entry("e", ""), false},
		{"n empty", entry("n", `""`), false},
		{"n null", entry("n", `null`), false},
		{"n padded", entry("n", `"`+b64(key().N.Bytes())+`=="`), false},
		{"n in standard base64", entry("n", `"`+strings.Repeat("+/", 171)+`"`), false},
		{"n with a newline", entry("n", `"`+b64(key().N.Bytes())+`\n"`), false},
		{"1024 bits", entry("n", `"`+modulus(1024)+`"`), false},
		{"2047 bits", entry("n", `"`+modulus(2047)+`"`), false},
		{"8193 bits", entry("n", `"`+modulus(8193)+`"`), false},
		{"65536 bits", entry("n", `"`+modulus(65536)+`"`), false},
		{"even modulus", entry("n", `"`+b64(new(big.Int).Lsh(big.NewInt(1), 2047).Bytes())+`"`), false},
		{"2048 bits, but for a zero byte", entry("n", `"`+b64(append([]byte{0}, key().N.Bytes()[1:]...))+`"`), false},
		{"e is 1", entry("e", `"AQ"`), false},
		{"e is 3", entry("e", `"Aw"`), false},
		{"e is 65535", entry("e", `"__8"`), false},
		{"e is 65536", entry("e", `"AQAA"`), false},
		{"e is 65538", entry("e", `"AQAC"`), false},
		{"e is 2^31+1", entry("e", `"gAAAAQ"`), false},
		{"e is 2^64+65537, which is 65537 when cut", entry("e", `"AQAAAAAAAQAB"`), false},
		{"e is 0", entry("e", `"AA"`), false},
		{"e empty", entry("e", `""`), false},
		{"e is a number", entry("e", `65537`), false},
		{"n twice", entry(`\u006e`, `"AQAB"`), false},
		{"bad UTF-8", entry("x", "\"\xff\""), false},
		{"not an object", `"k"`, false},
		{"null", `null`, false},
		{"a list", `[]`, false},
		{"empty", `{}`, false},
		{"nested deep", entry("x", strings.Repeat("[", 100)+strings.Repeat("]", 100)), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := jose.ParseSet([]byte(set(row.entry)))
			if (err == nil) != row.usable || (err != nil && !errors.Is(err, jose.ErrNoUsableKey)) || (s.Len() == 1) != row.usable {
				t.Errorf("%d keys, %v", s.Len(), err)
			}
			// Whatever it is, it must not break the good keys around it.
			s, err = jose.ParseSet([]byte(set(entry("kid", `"before"`), row.entry, entry("kid", `"after"`))))
			if err != nil {
				t.Fatalf("it broke the set: %v", err)
			}
			for _, kid := range []string{"before", "after"} {
				if k, ok := s.Key(kid); !ok || k.Verify([]byte("x"), sign("x")) != nil {
					t.Errorf("it broke the key %q", kid)
				}
			}
		})
	}
}

func TestFirstUsableOfOneKidWins(t *testing.T) {
	t.Parallel()
	other := `"` + modulus(2048) + `"`
	for name, row := range map[string]struct {
		document string
		ok       bool
	}{
		"good first":         {set(entry(), entry("n", other)), true},
		"good second":        {set(entry("n", other), entry()), false},
		"unusable, then one": {set(entry("use", `"enc"`, "n", other), entry(), entry("n", other)), true},
	} {
		s, err := jose.ParseSet([]byte(row.document))
		if err != nil {
			t.Fatal(err)
		}
		k, _ := s.Key("k")
		if ok := k.Verify([]byte("x"), sign("x")) == nil; ok != row.ok || s.Len() != 1 {
			t.Errorf("%s: verifies is %v", name, ok)
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, document string
		want           error
	}{
		{"as it is", set(entry()), nil},
		{"other members", `{"a":1,"keys":[` + entry() + `],"b":{}}`, nil},
		{"other members twice", `{"a":1,"a":2,"keys":[` + entry() + `]}`, nil},
		{"white space around", " \n" + set(entry()) + "\n", nil},
		{"KEYS beside keys", `{"KEYS":[],"keys":[` + entry() + `]}`, nil},
		{"no entries", `{"keys":[]}`, jose.ErrNoUsableKey},
		{"null keys", `{"keys":null}`, jose.ErrNotKeySet},
		{"keys is an object", `{"keys":{}}`, jose.ErrNotKeySet},
		{"keys twice", `{"keys":[` + entry() + `],"keys":[]}`, jose.ErrNotKeySet},
		{"keys twice, the second null", `{"keys":[` + entry() + `],"keys":null}`, jose.ErrNotKeySet},
		{"KEYS only", `{"KEYS":[` + entry() + `]}`, jose.ErrNotKeySet},
		{"no keys", `{}`, jose.ErrNotKeySet},
		{"bare key", entry(), jose.ErrNotKeySet},
		{"list of keys", `[` + entry() + `]`, jose.ErrNotKeySet},
		{"empty", ``, jose.ErrNotKeySet},
		{"null", `null`, jose.ErrNotKeySet},
		{"HTML", `<html></html>`, jose.ErrNotKeySet},
		{"garbage after", set(entry()) + "x", jose.ErrNotKeySet},
		{"object after", set(entry()) + "{}", jose.ErrNotKeySet},
		{"truncated", set(entry())[:300], jose.ErrNotKeySet},
		{"without its end", strings.TrimSuffix(set(entry()), "}"), jose.ErrNotKeySet},
		{"byte order mark", "\ufeff" + set(entry()), jose.ErrNotKeySet},
		{"a thousand entries", set(append(make999(), entry())...), nil},
		{"over a thousand entries", set(append(make999(), entry(), entry())...), jose.ErrNotKeySet},
		{"a million brackets", strings.Repeat("[", 1<<20), jose.ErrNotKeySet},
		{"a million brackets in keys", `{"keys":` + strings.Repeat("[", 1<<20), jose.ErrNotKeySet},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := jose.ParseSet([]byte(row.document))
			if !errors.Is(err, row.want) || (err == nil) != (s.Len() > 0) {
				t.Errorf("%d keys, %v; want %v", s.Len(), err, row.want)
			}
		})
	}
}

func make999() []string { return strings.Split(strings.Repeat("{} ", 999)[:999*3-1], " ") }

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(set(entry())))
	f.Add([]byte(set(entry("alg", ""), entry("kid", `"b"`, "e", `"Aw"`))))
	f.Add([]byte(`{"keys":[{}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		before := string(document)
		s, err := jose.ParseSet(document)
		if (err == nil) != (s.Len() > 0) {
			t.Errorf("%d keys with %v", s.Len(), err)
		}
		if string(document) != before {
			t.Error("the document was changed")
		}
		if err != nil && !errors.Is(err, jose.ErrNotKeySet) && !errors.Is(err, jose.ErrNoUsableKey) {
			t.Errorf("error is %v", err)
		}
		if k, ok := s.Key("k"); ok {
			_ = k.Verify([]byte("x"), make([]byte, 256)) // never panics
		}
	})
}
