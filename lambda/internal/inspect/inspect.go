// Package inspect says what a token claims, and which of the checks of
// [sso.Verifier] it passed. It verifies nothing by itself: the verdict is the
// verifier's, whose checks run in a documented order and end at the first that
// fails, so its error tells of every check whether it was passed, or not
// reached.
package inspect

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
)

// The bounds of the verifier.
var (
	headerLimits  = strictjson.Limits{Depth: 8, Values: 64}
	payloadLimits = strictjson.Limits{Depth: 32, Values: 4096}
)

// Member is a member of a header or payload. Name and JSON are the token's own
// words: they may be anything.
type Member struct {
	Name string
	JSON string // as it stands in the token
}

// Decoded is a token, taken apart and not verified. It never holds the
// signature.
type Decoded struct {
	// Size is in bytes, and Parts is how many there are between dots.
	Size, Parts int
	// Form: there are three parts of canonical base64url, none empty.
	Form bool
	// Header and Payload are nil if they are not one strict JSON object.
	Header, Payload []Member
}

// Decode takes a token apart as far as it goes.
func Decode(raw string) Decoded {
	d := Decoded{Size: len(raw), Parts: strings.Count(raw, ".") + 1}
	parts := strings.Split(raw, ".")
	var text [3]string
	d.Form = len(parts) == len(text)
	for i := 0; i < min(len(parts), len(text)); i++ {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil || len(b) == 0 || base64.RawURLEncoding.EncodedLen(len(b)) != len(parts[i]) {
			d.Form = false
			continue
		}
		text[i] = string(b)
	}
	d.Header = members(text[0], headerLimits)
	if len(parts) == len(text) { // the second part of another kind of token is no payload
		d.Payload = members(text[1], payloadLimits)
	}
	return d
}

// members is nil for what is no strict object, and not nil for an empty one.
func members(text string, limits strictjson.Limits) []Member {
	list := []Member{}
	err := strictjson.Object(text, limits, func(name, value string) { list = append(list, Member{name, value}) })
	if err != nil {
		return nil
	}
	return list
}

// RefreshToken reports whether the token looks like a refresh token of
// Cognito, which is encrypted for Cognito itself.
func (d Decoded) RefreshToken() bool { return d.Parts == 5 }

// header and claim return a member as JSON, "" if it is not there.
func (d Decoded) header(name string) string { return find(d.Header, name) }
func (d Decoded) claim(name string) string  { return find(d.Payload, name) }

func find(list []Member, name string) string {
	for _, m := range list {
		if m.Name == name {
			return m.JSON
		}
	}
	return ""
}

// open are the claims that say nothing about a person. An allow-list: a claim
// that a trigger of yours added may be anything.
var open = []string{
	"iss", "aud", "client_id", "token_use", "exp", "iat", "nbf", "auth_time", "scope", "version", "jti", "origin_jti", "event_id",
	"acr", "amr", "cognito:groups", "email_verified", "phone_number_verified",
}

// Personal reports whether the claim may say something about a person.
// userIDClaim is the one with the organisation's user id, which tells nobody
// anything without the user table.
func (m Member) Personal(userIDClaim string) bool {
	return m.Name != userIDClaim && !slices.Contains(open, m.Name)
}

// maxShown is how much of a value is shown, in characters.
const maxShown = 300

// Text is the value for people: safe for a terminal, and dates readable.
func (m Member) Text(now time.Time) string {
	text := shown(m.JSON)
	if slices.Contains([]string{"exp", "iat", "nbf", "auth_time"}, m.Name) {
		text += when(m.JSON, now)
	}
	return text
}

// shown is a JSON value as text: a string without its quotes.
func shown(value string) string {
	if s, ok := strictjson.String(value); ok {
		value = s
	}
	return termtext.Printable(value, maxShown)
}

// when is what follows a date's number: " (2026-11-22T10:00:00Z, 5m ago)".
func when(value string, now time.Time) string {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f < 253402300800) { // to the year 9999; NaN neither
		return " (no date)"
	}
	at := time.Unix(int64(f), 0).UTC()
	return fmt.Sprintf(" (%s, %s)", at.Format(time.RFC3339), distance(at.Sub(now)))
}

// distance is "in 5m" or "5m ago".
func distance(d time.Duration) string {
	if d < 0 {
		return Span(-d) + " ago"
	}
	return "in " + Span(d)
}

// Span writes a duration in at most two units: 3d4h, 5m10s, 0s.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	days, d := d/(24*time.Hour), d%(24*time.Hour)
	hours, minutes, seconds := d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}
