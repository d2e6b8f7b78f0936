package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// Outcome is how a check ended.
type Outcome string

// The outcomes. Only Passed means that the verifier did the check and that the
// token passed it.
const (
	Passed     Outcome = "ok"
	Refused    Outcome = "refused"
	NotReached Outcome = "not reached" // an earlier check failed
	Unknown    Outcome = "cannot tell" // the verifier does not say, or has no keys
	NotChecked Outcome = "not checked" // there was no verifier
)

// Check is one check of the verifier's, or several that only come together.
type Check struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	// Found is what the token says, and Want what was expected where that is
	// more than the name tells. Both are safe for a terminal.
	Found string `json:"found,omitempty"`
	Want  string `json:"want,omitempty"`
}

// The checks, in the verifier's order.
const (
	form = iota
	header
	algorithm
	keyID
	payload
	issuer
	use
	client
	expiry
	key
	signature
	times
	subject
	userID
	others
	checks // how many
	nobody // an error that is of no check
)

var names = [checks]string{
	"form", "header", "algorithm", "key id", "payload", "issuer", "token use", "client", "expiry", "key", "signature",
	"issue times", "subject, groups, scope", "user id", "other claims",
}

// Checks says how each check ended. err is what the verifier made with cfg
// returned, which should have ExposeExpired: without it, nothing is known of
// the later checks of an expired token.
func (d Decoded) Checks(cfg sso.Config, err error, now time.Time) []Check {
	list := d.facts(cfg, now)
	at := d.failed(err)
	_, onlyExpired := errors.AsType[*sso.ExpiredError](err)
	for i := range list {
		switch {
		case at == nobody:
			list[i].Outcome = Unknown
		case i < at || onlyExpired && i != at:
			list[i].Outcome = Passed
		case i == at && undecided(err):
			list[i].Outcome = Unknown
		case i == at:
			list[i].Outcome = Refused
		case errors.Is(err, sso.ErrExpired):
			list[i].Outcome = Unknown // they were done, and the verifier does not say which failed
		default:
			list[i].Outcome = NotReached
		}
	}
	return list
}

// Unverified is Checks where there is no verifier.
func (d Decoded) Unverified(now time.Time) []Check {
	list := d.facts(sso.Config{}, now)
	for i := range list {
		list[i].Outcome, list[i].Want = NotChecked, ""
	}
	return list
}

// undecided is an error that says nothing about the token.
func undecided(err error) bool {
	return err != nil && !errors.Is(err, sso.ErrUnknownKey) && steps(err) == key
}

// failed is the check that err is of: checks for none, nobody if it is unknown.
func (d Decoded) failed(err error) int {
	switch {
	case err == nil:
		return checks
	case errors.Is(err, sso.ErrMalformed):
		return d.malformed()
	case errors.Is(err, sso.ErrClaim):
		return claimCheck(err)
	}
	return steps(err)
}

// malformed is which of the three the verifier could not read: it looks at them
// in this order.
func (d Decoded) malformed() int {
	switch {
	case !d.Form:
		return form
	case d.Header == nil:
		return header
	}
	return payload
}

// claimCheck reads the name of the claim, which is in the error's text.
func claimCheck(err error) int {
	text := strings.TrimPrefix(err.Error(), sso.ErrClaim.Error()+": ")
	name, problem, _ := strings.Cut(text, " ")
	switch name {
	case "exp":
		if strings.HasPrefix(problem, "is missing") {
			return expiry
		}
		return times
	case "iat", "nbf", "auth_time":
		return times
	case "sub", "cognito:groups", "scope":
		return subject
	}
	return others
}

// steps are the errors that are of one check only.
func steps(err error) int {
	for _, s := range []struct {
		err error
		at  int
	}{
		{sso.ErrMissing, form},
		{sso.ErrTooLarge, form},
		{sso.ErrAlgorithm, algorithm},
		{sso.ErrKeyID, keyID},
		{sso.ErrIssuer, issuer},
		{sso.ErrTokenUse, use},
		{sso.ErrClient, client},
		{sso.ErrExpired, expiry},
		{sso.ErrUnknownKey, key},
		{sso.ErrKeysUnavailable, key},
		{sso.ErrSignature, signature},
		{sso.ErrNotYetValid, times},
		{sso.ErrUserID, userID},
	} {
		if errors.Is(err, s.err) {
			return s.at
		}
	}
	return nobody
}

// facts are the checks with what the token says, and no outcome yet.
func (d Decoded) facts(cfg sso.Config, now time.Time) []Check {
	list := make([]Check, checks)
	for i := range list {
		list[i].Name = names[i]
	}
	set := func(at int, found, want string) { list[at].Found, list[at].Want = found, want }
	set(form, fmt.Sprintf("%d parts, %d bytes", d.Parts, d.Size), "three parts of canonical base64url")
	set(header, unless(d.Header == nil, "cannot be read"), "one strict JSON object")
	set(algorithm, shown(d.header("alg")), "RS256")
	set(keyID, shown(d.header("kid")), "")
	set(payload, unless(d.Payload == nil, "cannot be read"), "one strict JSON object")
	set(issuer, shown(d.claim("iss")), issuers(cfg))
	set(use, shown(d.claim("token_use")), "access or id")
	set(client, shown(d.clientClaim()), strings.Join(cfg.ClientIDs, " or "))
	set(expiry, d.dates(now, "exp"), "in the future")
	set(times, d.dates(now, "iat", "nbf", "auth_time"), "")
	claim := cmp.Or(cfg.UserIDClaim, "custom:userId")
	set(userID, cmp.Or(shown(d.claim(claim)), "none in "+termtext.Printable(claim, maxShown)), "")
	return list
}

func unless(bad bool, text string) string {
	if bad {
		return text
	}
	return ""
}

// dates are claims with their names, those that are there.
func (d Decoded) dates(now time.Time, names ...string) string {
	var all []string
	for _, name := range names {
		if value := d.claim(name); value != "" {
			all = append(all, name+when(value, now))
		}
	}
	return strings.Join(all, ", ")
}

// clientClaim is where the verifier looks for the app client.
func (d Decoded) clientClaim() string {
	if d.claim("token_use") == `"id"` {
		return d.claim("aud")
	}
	return d.claim("client_id")
}

func issuers(cfg sso.Config) string {
	return strings.Join(append([]string{"an issuer of pool " + cfg.UserPoolID}, cfg.Issuers...), " or ")
}
