package lambda

import (
	"encoding/json"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// IdentityOf says who a Cognito user is, by the rules of the triggers, for
// programs that make good what a trigger could not do. attributes are those of
// the user, with its status under "cognito:user_status", as a trigger event
// has them; the user lists of the API have the status beside them. providers
// are as in [Config].
//
// The error is [ErrBadEvent] without a sub, [ErrProvider] for a user of another
// provider, and [ErrIdentity] if nobody can say who it is at the provider; the
// identity then has its sub and no provider, and only a row that carries the
// sub already is the user's.
func IdentityOf(attributes map[string]string, providers []string) (users.Identity, error) {
	e := &event{attributes: make(object, len(attributes))}
	for name, value := range attributes {
		raw, err := json.Marshal(value)
		if err != nil {
			return users.Identity{}, ErrBadEvent
		}
		e.attributes[name] = raw
	}
	t := &Triggers{cfg: Config{Providers: providers}}
	return t.identityOf(e)
}
