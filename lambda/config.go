package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Attributes writes the userId attribute of a Cognito user.
// [NewCognitoAttributes] is the one for AWS.
type Attributes interface {
	// SetUserID writes value to the attribute name (such as "custom:userId")
	// of the user. It obeys ctx, may be called twice, and its errors hold no
	// personal data: they are logged.
	SetUserID(ctx context.Context, userPoolID, username, name, value string) error
}

// SignIns takes sign-ins to record later. It must not wait for the database.
// [NewMemoryQueue] and [NewSQSSignIns] make one.
type SignIns interface {
	// Send leaves s in the queue. It obeys ctx, and its errors hold no
	// personal data: they are logged.
	Send(ctx context.Context, s SignIn) error
}

// Config wires the triggers. It is copied.
type Config struct {
	// Users is the user table. Required.
	Users users.Store
	// Attributes writes custom:userId. Required.
	Attributes Attributes
	// SignIns is the queue of sign-ins. Required.
	SignIns SignIns
	// Providers are the identity providers whose users may sign up, by their exact
	// names in the pool, such as "Kakao" and "Google". Names may not differ in
	// case only. Required.
	Providers []string
	// AllowNativeSignUp lets people sign up with a password. Users whom an
	// administrator creates are let in either way. Defaults to false.
	AllowNativeSignUp bool
	// UserIDAttribute is the pool's attribute for the row id, and the claim.
	// It MUST NOT be writable by any app client. Defaults to "custom:userId".
	UserIDAttribute string
	// AllowMissingUserID hands out a token without a userId when the store
	// cannot be reached. Apps then MUST NOT take a token for a known user. A
	// conflict or an unusable identity still refuses the token. Defaults to
	// false: no id, no token.
	AllowMissingUserID bool
	// SendTimeout bounds the queueing of a sign-in. Defaults to 500 ms.
	SendTimeout time.Duration
	// Deadline bounds one whole trigger. Cognito stops waiting after 5 s, so it
	// is at most that. A Lambda function's own timeout, if nearer, wins.
	// Defaults to 4 s.
	Deadline time.Duration
	// Logger gets one line per event, without personal data. Defaults to slog.Default().
	Logger *slog.Logger
	// OnResult is told how each event ended, for metrics. It is called before
	// the answer is given, so it must not block. Defaults to nothing.
	OnResult func(Result)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

const (
	defaultUserIDAttribute = "custom:userId"
	defaultSendTimeout     = 500 * time.Millisecond
	defaultDeadline        = 4 * time.Second
	cognitoTimeout         = 5 * time.Second // reference: Cognito's own, not configurable
	providerNameLimit      = 32
)

// customAttribute is what Cognito allows: "custom:" and a name of 1 to 20.
var customAttribute = regexp.MustCompile(`^custom:[A-Za-z0-9_.-]{1,20}$`)

func (c Config) withDefaults() Config {
	c.Providers = slices.Clone(c.Providers)
	if c.UserIDAttribute == "" {
		c.UserIDAttribute = defaultUserIDAttribute
	}
	if c.SendTimeout == 0 {
		c.SendTimeout = defaultSendTimeout
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.OnResult == nil {
		c.OnResult = func(Result) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: "+field+": "+format, append([]any{ErrConfig}, args...)...))
	}
	if c.Users == nil {
		bad("Users", "required")
	}
	if c.Attributes == nil {
		bad("Attributes", "required")
	}
	if c.SignIns == nil {
		bad("SignIns", "required")
	}
	if len(c.Providers) == 0 {
		bad("Providers", "at least one is required")
	}
	for i, p := range c.Providers {
		switch {
		case p == "" || len([]rune(p)) > providerNameLimit || strings.TrimSpace(p) != p:
			bad("Providers", "%q is not a name of 1 to %d characters", p, providerNameLimit)
		case slices.ContainsFunc(c.Providers[:i], func(q string) bool { return strings.EqualFold(p, q) }):
			bad("Providers", "%q is there twice (case does not tell them apart)", p)
		}
	}
	if !customAttribute.MatchString(c.UserIDAttribute) {
		bad("UserIDAttribute", `%q is not "custom:" and a name of 1 to 20 characters`, c.UserIDAttribute)
	}
	if c.SendTimeout < 0 || c.SendTimeout > cognitoTimeout {
		bad("SendTimeout", "%v is not within 0 to %v", c.SendTimeout, cognitoTimeout)
	}
	if c.Deadline < 0 || c.Deadline > cognitoTimeout {
		bad("Deadline", "%v is not within 0 to %v", c.Deadline, cognitoTimeout)
	}
	return errors.Join(errs...)
}
