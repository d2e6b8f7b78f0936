package lambda

import (
	"encoding/json"
	"fmt"
	"time"

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

// ParseSignIn reads the body of a message. Its error is [ErrBadMessage] and
// quotes nothing of it: such a message never becomes readable, so it belongs
// into the dead-letter queue.
func ParseSignIn(body []byte) (SignIn, error) {
	var s SignIn
	if json.Unmarshal(body, &s) != nil {
		return SignIn{}, fmt.Errorf("%w: not its JSON", ErrBadMessage)
	}
	if s.Version != signInVersion {
		return SignIn{}, fmt.Errorf("%w: unknown version", ErrBadMessage)
	}
	if len(users.Latest([]users.SignIn{{Sub: s.Sub, At: s.At}})) == 0 {
		return SignIn{}, fmt.Errorf("%w: unusable sub or time", ErrBadMessage)
	}
	return s, nil
}
