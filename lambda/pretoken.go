package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// preTokenGeneration puts the userId into the token: from the attribute, or,
// if the user has none, from the store, which also heals a lost sign-up.
func (t *Triggers) preTokenGeneration(ctx context.Context, e *event, res *Result) error {
	id := e.attribute(t.cfg.UserIDAttribute)
	if id == "" {
		var err error
		id, err = t.ensure(ctx, e, res)
		if t.mayDegrade(err) {
			// Fail open, by Config.AllowMissingUserID only.
			res.Outcome, res.Reason = OutcomeDegraded, "store_unavailable"
			t.logger(ctx, res).LogAttrs(ctx, slog.LevelWarn, "token without userId", slog.String("error", err.Error()))
			return nil
		}
		if err != nil {
			return err // fail closed: a token without an id is nobody's
		}
		res.Healed = true
		t.setUserID(ctx, e, id, res)
	}
	return addClaim(e, t.cfg.UserIDAttribute, id)
}

func (t *Triggers) mayDegrade(err error) bool {
	return t.cfg.AllowMissingUserID &&
		(errors.Is(err, users.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded))
}

// addClaim writes the claim where the version of the event has it: V1 knows
// the ID token only, V2 and V3 (same shape) the access token too.
func addClaim(e *event, name, value string) error {
	_, scopes := e.request["scopes"]
	if e.version() < 2 && !scopes {
		return e.edit("claimsOverrideDetails", func(details object) error {
			return claim(details, name, value)
		})
	}
	return e.edit("claimsAndScopeOverrideDetails", func(details object) error {
		for _, token := range []string{"idTokenGeneration", "accessTokenGeneration"} {
			if err := editMember(details, token, func(o object) error { return claim(o, name, value) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// edit changes one member of the response.
func (e *event) edit(member string, change func(object) error) error {
	e.edited = true
	return editMember(e.response, member, func(details object) error {
		// An empty groupOverrideDetails would take the user's groups out of
		// the token. Without the member they stay.
		if emptyOverride(details["groupOverrideDetails"]) {
			delete(details, "groupOverrideDetails")
		}
		return change(details)
	})
}

// claim adds the claim, and takes it off the list of suppressed ones, which
// would win.
func claim(o object, name, value string) error {
	if err := editMember(o, "claimsToAddOrOverride", func(claims object) error {
		v, err := encode(value)
		claims[name] = v
		return err
	}); err != nil {
		return err
	}
	var suppressed []json.RawMessage
	if json.Unmarshal(o["claimsToSuppress"], &suppressed) != nil {
		return nil
	}
	kept := make([]json.RawMessage, 0, len(suppressed))
	for _, s := range suppressed {
		if text(s) != name {
			kept = append(kept, s)
		}
	}
	if len(kept) == len(suppressed) {
		return nil
	}
	v, err := encode(kept)
	o["claimsToSuppress"] = v
	return err
}

// editMember changes the object in a member of o, making it if there is none.
func editMember(o object, member string, change func(object) error) error {
	var inner object
	if !decodeObject(o[member], &inner) {
		return fmt.Errorf("%w: %s is not an object", ErrBadEvent, member)
	}
	if err := change(inner); err != nil {
		return err
	}
	v, err := encode(inner)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrBadEvent, member)
	}
	o[member] = v
	return nil
}

// emptyOverride reports whether raw is there and overrides nothing.
func emptyOverride(raw json.RawMessage) bool {
	var o object
	if !decodeObject(raw, &o) {
		return false
	}
	for _, v := range o {
		switch string(v) {
		case "null", "[]", "{}", `""`:
		default:
			return false
		}
	}
	return true
}
