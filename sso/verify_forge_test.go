package sso_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// The tests of the verifier sign for themselves, with crypto/rsa, and serve
// keys for themselves: a fake pool could share a mistake with the verifier.

const (
	poolID       = "ap-northeast-2_AbCdEfGhI"
	originalIss  = "https://cognito-idp.ap-northeast-2.amazonaws.com/" + poolID
	updatedIss   = "https://issuer-cognito-idp.ap-northeast-2.amazonaws.com/" + poolID
	clientID     = "1example23456789"
	subject      = "34c84488-e0e1-70ae-d2ee-991ad1a898c8"
	accessKeyID  = "access+key/id=" // real ones are base64, not base64url
	idKeyID      = "id+key/id="
	canaryInText = "canary" // claim text that no error may show
)

// now is the clock of every test here.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Keys are made once; making one takes a while.
var (
	accessKey   = sync.OnceValue(newKey)
	idKey       = sync.OnceValue(newKey)
	attackerKey = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// member is a member of a JSON object: its name and value as they are written.
type member struct{ name, value string }

type object []member

func (o object) String() string {
	var b strings.Builder
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":%s`, m.name, m.value)
	}
	return "{" + b.String() + "}"
}

// set replaces the member, or adds it.
func (o *object) set(name, value string) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	o.add(name, value)
}

// add adds a member, even if there is one of that name.
func (o *object) add(name, value string) { *o = append(*o, member{name, value}) }

func (o *object) drop(name string) {
	kept := object{}
	for _, m := range *o {
		if m.name != name {
			kept = append(kept, m)
		}
	}
	*o = kept
}

// forge makes tokens. Header and payload are signed as they stand.
type forge struct {
	header, payload object
	rawHeader       string // instead of header, if not ""
	rawPayload      string
	key             *rsa.PrivateKey
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func unix(t time.Time) string { return fmt.Sprint(t.Unix()) }

// goodAccess is an access token as Cognito makes them.
func goodAccess() *forge {
	return &forge{
		key:    accessKey(),
		header: object{{"kid", quote(accessKeyID)}, {"alg", `"RS256"`}},
		payload: object{
			{"sub", quote(subject)},
			{"cognito:groups", `["staff","students"]`},
			{"iss", quote(originalIss)},
			{"version", "2"},
			{"client_id", quote(clientID)},
			{"origin_jti", `"origin-canary"`},
			{"event_id", `"event-canary"`},
			{"token_use", `"access"`},
			{"scope", `"openid api/read"`},
			{"auth_time", unix(now.Add(-time.Minute))},
			{"exp", unix(now.Add(time.Hour))},
			{"iat", unix(now.Add(-time.Minute))},
			{"jti", `"jti-canary"`},
			{"username", `"Kakao_canary"`},
			{"custom:userId", `"4711"`},
		},
	}
}

// goodID is an ID token as Cognito makes them.
func goodID() *forge {
	return &forge{
		key:    idKey(),
		header: object{{"kid", quote(idKeyID)}, {"alg", `"RS256"`}},
		payload: object{
			{"at_hash", `"hash-canary"`},
			{"sub", quote(subject)},
			{"cognito:groups", `["staff"]`},
			{"email_verified", "true"},
			{"iss", quote(originalIss)},
			{"cognito:username", `"Kakao_canary"`},
			{"nonce", `"nonce-canary"`},
			{"origin_jti", `"origin-canary"`},
			{"aud", quote(clientID)},
			{"identities", `[{"userId":"canary-1","providerName":"Kakao","providerType":"OIDC","issuer":null,"primary":"true","dateCreated":"1767323045000"}]`},
			{"token_use", `"id"`},
			{"auth_time", unix(now.Add(-time.Minute))},
			{"exp", unix(now.Add(time.Hour))},
			{"iat", unix(now.Add(-time.Minute))},
			{"jti", `"jti-canary"`},
			{"email", `"canary@example.ac.kr"`},
			{"name", `"Canary"`},
			{"custom:userId", `"4711"`},
		},
	}
}

// goodMachine is a client-credentials token.
func goodMachine() *forge {
	f := goodAccess()
	f.payload.set("sub", quote(clientID))
	for _, name := range []string{"username", "cognito:groups", "origin_jti", "custom:userId"} {
		f.payload.drop(name)
	}
	return f
}

var base64url = base64.RawURLEncoding

func encode(b []byte) string { return base64url.EncodeToString(b) }

func (f *forge) signingInput() string {
	header, payload := f.rawHeader, f.rawPayload
	if header == "" {
		header = f.header.String()
	}
	if payload == "" {
		payload = f.payload.String()
	}
	return encode([]byte(header)) + "." + encode([]byte(payload))
}

// token signs with RS256, whatever the header says.
func (f *forge) token() string {
	input := f.signingInput()
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, f.key, crypto.SHA256, digest[:])
	if err != nil {
		panic(err)
	}
	return input + "." + encode(sig)
}

// jwk is a public key as Cognito publishes it.
func jwk(kid string, key *rsa.PrivateKey) string {
	return object{
		{"kid", quote(kid)}, {"alg", `"RS256"`}, {"kty", `"RSA"`}, {"use", `"sig"`},
		{"e", quote(encode(big.NewInt(int64(key.E)).Bytes()))},
		{"n", quote(encode(key.N.Bytes()))},
	}.String()
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func poolKeys() string { return jwks(jwk(accessKeyID, accessKey()), jwk(idKeyID, idKey())) }

// keyServer answers for every host. It is an http.RoundTripper, so that no
// socket is needed and its time is the test's.
type keyServer struct {
	fetches atomic.Int64
	mu      sync.Mutex
	answer  func(*http.Request) (*http.Response, error)
}

// serve makes a key server that answers every request with the document.
func serve(document string) *keyServer {
	s := new(keyServer)
	s.set(func(*http.Request) (*http.Response, error) { return respond(200, document), nil })
	return s
}

func (s *keyServer) set(answer func(*http.Request) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	return answer(r)
}

func respond(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// config is a Config for the pool whose keys s serves.
func config(s *keyServer) sso.Config {
	return sso.Config{
		UserPoolID: poolID,
		ClientIDs:  []string{"another-client", clientID},
		HTTPClient: &http.Client{Transport: s},
		Now:        func() time.Time { return now },
	}
}

// verifier makes a Verifier for the pool, with keys, or panics.
func verifier(change ...func(*sso.Config)) *sso.Verifier {
	cfg := config(serve(poolKeys()))
	for _, f := range change {
		f(&cfg)
	}
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		panic(err)
	}
	return v
}
