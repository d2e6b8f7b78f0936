package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// The pool that every token is of.
const (
	poolID     = "ap-northeast-2_AbCdEfGhI"
	issuer     = "https://cognito-idp.ap-northeast-2.amazonaws.com/" + poolID
	clientID   = "1example23456789abcdefghij"
	useAccess  = "access"
	useID      = "id"
	tokenLife  = 20 * time.Hour // past every refresh that a scenario forces
	poolKeyID  = "dGhpcyBpcyBhIGtleSBpZCBvZiBhIHBvb2w="
	otherKeyID = "YW5vdGhlciBrZXkgb2YgdGhlIHNhbWUgb25l"
)

// signer is a key of the pool.
type signer struct {
	kid string
	key *rsa.PrivateKey
}

func newSigner(kid string) (*signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &signer{kid, key}, nil
}

// jwk is the public key as Cognito publishes it.
func (s *signer) jwk() map[string]any {
	return map[string]any{
		"kid": s.kid, "alg": "RS256", "kty": "RSA", "use": "sig",
		"e": encode(big.NewInt(int64(s.key.E)).Bytes()),
		"n": encode(s.key.N.Bytes()),
	}
}

func (s *signer) jwks() []byte { return jwksOf(s.jwk()) }

func jwksOf(keys ...map[string]any) []byte {
	doc, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err) // strings only
	}
	return doc
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token of the payload.
func (s *signer) sign(payload string) (string, error) {
	header := fmt.Sprintf(`{"kid":%q,"alg":"RS256"}`, s.kid)
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return input + "." + encode(sig), nil
}

// accessPayload and idPayload have every claim that Cognito puts into a token
// of a user who signed in at another provider; n makes them differ.
func accessPayload(n int, now time.Time) string {
	return fmt.Sprintf(`{"sub":"%[1]s","cognito:groups":["ap-northeast-2_AbCdEfGhI_Kakao","staff","students"],`+
		`"iss":%[2]q,"version":2,"client_id":%[3]q,"origin_jti":"%[1]s","event_id":"%[1]s","token_use":"access",`+
		`"scope":"openid profile email api.example.ac.kr/read api.example.ac.kr/write",`+
		`"auth_time":%[4]d,"exp":%[5]d,"iat":%[4]d,"jti":"%[1]s","username":"Kakao_%010[6]d","custom:userId":"%[7]d"}`,
		uuid(n), issuer, clientID, now.Add(-time.Minute).Unix(), now.Add(tokenLife).Unix(), n, n+1)
}

func idPayload(n int, now time.Time) string {
	return fmt.Sprintf(`{"at_hash":"aBcDeFgHiJkLmNoPqRsTuV","sub":"%[1]s",`+
		`"cognito:groups":["ap-northeast-2_AbCdEfGhI_Kakao","staff","students"],"email_verified":true,`+
		`"iss":%[2]q,"cognito:username":"Kakao_%010[6]d","given_name":"Gildong","family_name":"Hong","picture":"https://img.example.ac.kr/p/%[6]d.jpg",`+
		`"origin_jti":"%[1]s","aud":%[3]q,"identities":[{"userId":"%010[6]d","providerName":"Kakao","providerType":"OIDC",`+
		`"issuer":null,"primary":"true","dateCreated":"1767323045000"}],"event_id":"%[1]s","token_use":"id",`+
		`"auth_time":%[4]d,"exp":%[5]d,"iat":%[4]d,"jti":"%[1]s","name":"Hong Gildong","email":"user%[6]d@example.ac.kr","custom:userId":"%[7]d"}`,
		uuid(n), issuer, clientID, now.Add(-time.Minute).Unix(), now.Add(tokenLife).Unix(), n, n+1)
}

// uuid makes a text of that form.
func uuid(n int) string { return fmt.Sprintf("34c84488-e0e1-70ae-d2ee-%012x", n) }

func payloadOf(use string, n int, now time.Time) string {
	if use == useID {
		return idPayload(n, now)
	}
	return accessPayload(n, now)
}

// mint makes n distinct tokens.
func (s *signer) mint(use string, n int, now time.Time) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		var err error
		if tokens[i], err = s.sign(payloadOf(use, i, now)); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// unknownKeys makes n tokens that name keys nobody has: the rest of the given
// token, its signature included, under other headers.
func unknownKeys(token string, n int) []string {
	_, rest, _ := strings.Cut(token, ".")
	tokens := make([]string, n)
	for i := range tokens {
		header := fmt.Sprintf(`{"kid":"nobody-%d","alg":"RS256"}`, i)
		tokens[i] = encode([]byte(header)) + "." + rest
	}
	return tokens
}
