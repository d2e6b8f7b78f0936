package fleettest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// answer is what the token endpoint says, as far as it matters here.
type answer struct {
	ID      string `json:"id_token"`
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// claims are of an ID token. Nothing is verified: the pool is ours.
type claims struct {
	Subject  string `json:"sub"`
	Username string `json:"cognito:username"`
	Expires  int64  `json:"exp"`
}

func claimsOf(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("fleettest: no token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(raw, &c)
	return c, err
}

// read returns who an answer of the pool is about, by number, their sub, and
// when its tokens end.
func (a answer) read() (person int, sub string, expires time.Time, err error) {
	id, err := claimsOf(a.ID)
	if err != nil {
		return 0, "", expires, err
	}
	access, err := claimsOf(a.Access)
	if err != nil {
		return 0, "", expires, err
	}
	_, subject, _ := strings.Cut(id.Username, "_")
	n, err := strconv.Atoi(subject)
	return n - firstSubject, id.Subject, time.Unix(min(id.Expires, access.Expires), 0), err
}

// provider is who everybody signs in with, and firstSubject the id there of
// person 0.
const (
	provider     = "Kakao"
	firstSubject = 1000000
)
