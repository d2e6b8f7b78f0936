package lambda

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// SignIn is the message that a sign-in leaves in the queue. The time is in the
// message, since queues deliver late, twice, and out of order.
type SignIn struct {
	Version    int       `json:"v"` // 1
	Sub        string    `json:"sub"`
	UserPoolID string    `json:"userPoolId"`
	At         time.Time `json:"at"`
}

const signInVersion = 1

// signInLimits are beyond any sign-in. A later version may have more members.
var signInLimits = strictjson.Limits{Depth: 16, Values: 1000}

// ParseSignIn reads the body of a message. Names must match exactly and occur
// once; unknown ones are skipped. Its error is [ErrBadMessage] and quotes nothing
// of it: such a message never becomes readable, so it belongs into the
// dead-letter queue.
func ParseSignIn(body []byte) (SignIn, error) { return parseSignIn(string(body)) }

func parseSignIn(body string) (SignIn, error) {
	var s SignIn
	ok := true
	if strictjson.Object(body, signInLimits, func(name, value string) { ok = s.set(name, value) && ok }) != nil || !ok {
		return SignIn{}, fmt.Errorf("%w: not its JSON", ErrBadMessage)
	}
	if s.Version != signInVersion {
		return SignIn{}, fmt.Errorf("%w: unknown version", ErrBadMessage)
	}
	if one := (users.SignIn{Sub: s.Sub, At: s.At}); !one.Usable() {
		return SignIn{}, fmt.Errorf("%w: unusable sub or time", ErrBadMessage)
	}
	return s, nil
}

// Ahead reports whether the time is further in the future than a clock may be
// ahead: 5 minutes. Such a sign-in is not recorded now; it would hide every later
// one of that user.
func (s SignIn) Ahead(now time.Time) bool { return s.At.After(now.Add(maxAhead)) }

// set reports false for a value of another type than the member's.
func (s *SignIn) set(name, value string) (ok bool) {
	switch name {
	case "v":
		n, err := strconv.Atoi(value)
		s.Version, ok = n, err == nil
	case "sub":
		s.Sub, ok = strictjson.String(value)
	case "userPoolId":
		s.UserPoolID, ok = strictjson.String(value)
	case "at":
		ok = s.At.UnmarshalJSON([]byte(value)) == nil
	default:
		ok = true
	}
	return ok
}
