package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	// AllowedEmailDomains lets only people sign up whose email address is in
	// one of these domains, such as "ssu.ac.kr": exactly there, whatever the
	// case, and not below it. Write an internationalised domain in ASCII
	// ("xn--…"); an address that has it otherwise is refused, as is one that is
	// not plainly name@domain. The event must call the address verified: an
	// unverified one proves nothing. Google says so, if its email_verified is
	// mapped; Kakao never does, so nobody can sign up by Kakao under this rule,
	// nor with a password, unless one of the next two fields says otherwise.
	// The rule is asked at sign-up only, not when an address changes later, and
	// not for users whom an administrator creates. Defaults to any address, or
	// none.
	AllowedEmailDomains []string
	// EmailDomainExempt are those of Providers whose users need no address in
	// AllowedEmailDomains. Defaults to none.
	EmailDomainExempt []string
	// AllowUnverifiedEmailDomain takes the word of whoever signs up for the
	// address: anybody can type one of the right domain into a Kakao account or
	// a form. The domain then keeps out mistakes, not people, and MUST NOT
	// stand for a right. Defaults to false.
	AllowUnverifiedEmailDomain bool
	// UserIDAttribute is the pool's attribute for the row id, and the claim.
	// It MUST NOT be writable by any app client. Defaults to "custom:userId".
	UserIDAttribute string
	// AllowMissingUserID hands out a token without a userId when the store
	// cannot be reached. Apps then MUST NOT take a token for a known user. A
	// conflict or an unusable identity still refuses the token. The store then
	// has three quarters of the time. Defaults to false: no id, no token.
	AllowMissingUserID bool
	// UserIDSource says where a token's userId comes from. Defaults to
	// [AttributeFirst].
	UserIDSource UserIDSource
	// RefuseMismatch refuses a token when the attribute says another id than
	// the row: for a pool whose attribute could once be written by its users.
	// It needs [AlwaysStore]. Defaults to false: the row's id goes into the
	// token, and the attribute is corrected.
	RefuseMismatch bool
	// ExtraClaims adds claims of your own to every token, a machine's too. It
	// fails closed: an error, a panic, a claim that cannot be, or no answer
	// within the deadline means no token. An error that is a [PublicError]
	// shows its Text to the user. Its errors hold no personal data: they are
	// logged. It must be safe for concurrent use. Defaults to none.
	ExtraClaims func(context.Context, ClaimsRequest) (Claims, error)
	// SendTimeout bounds the queueing of a sign-in. Defaults to 500 ms.
	SendTimeout time.Duration
	// AttributeTimeout bounds the write of the attribute, with its retries. The
	// write never takes the time that the answer needs. Defaults to 2 s.
	AttributeTimeout time.Duration
	// Deadline bounds one whole trigger. Cognito stops waiting after 5 s, so it
	// is at most that. A Lambda function's own timeout, if nearer, wins.
	// Defaults to 4 s.
	Deadline time.Duration
	// Texts replaces what people are shown, by reason (see [Reasons]), such as
	// "provider": "…". Cognito shows a text as it is and puts a full stop
	// behind it. [KoreanTexts] is a set of them. Defaults to English.
	Texts map[Reason]string
	// Logger gets one line per event, without personal data. Defaults to slog.Default().
	Logger *slog.Logger
	// TraceID names the trace of an event for the log: with OpenTelemetry,
	// trace.SpanContextFromContext(ctx).TraceID().String(). Where it answers ""
	// the log has X-Ray's id, if Lambda gave one. Defaults to X-Ray's.
	TraceID func(context.Context) string
	// OnResult is told how each event ended, for metrics; see [EMF]. It is
	// called before the answer is given, so it must not block. Defaults to
	// nothing.
	OnResult func(Result)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

const (
	defaultUserIDAttribute  = "custom:userId"
	defaultSendTimeout      = 500 * time.Millisecond
	defaultAttributeTimeout = 2 * time.Second
	defaultDeadline         = 4 * time.Second
	cognitoTimeout          = 5 * time.Second // Cognito's own, not configurable
	providerNameLimit       = 32
)

// UserIDSource says where a token's userId comes from.
type UserIDSource string

const (
	// AttributeFirst believes the user's attribute, and asks the store only
	// when it is missing: no database in a usual sign-in.
	AttributeFirst UserIDSource = "attribute"
	// AlwaysStore asks the store for every token, refreshes too, and believes
	// the row.
	AlwaysStore UserIDSource = "store"
)

// customAttribute is what Cognito allows: "custom:" and a name of 1 to 20.
var customAttribute = regexp.MustCompile(`^custom:[A-Za-z0-9_.-]{1,20}$`)

func (c Config) withDefaults() Config {
	c.Providers = slices.Clone(c.Providers)
	c.AllowedEmailDomains = slices.Clone(c.AllowedEmailDomains)
	c.EmailDomainExempt = slices.Clone(c.EmailDomainExempt)
	c.Texts = maps.Clone(c.Texts)
	setDefault(&c.UserIDAttribute, defaultUserIDAttribute)
	setDefault(&c.UserIDSource, AttributeFirst)
	setDefault(&c.SendTimeout, defaultSendTimeout)
	setDefault(&c.AttributeTimeout, defaultAttributeTimeout)
	setDefault(&c.Deadline, defaultDeadline)
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

// mistakes gathers what is wrong in a Config.
type mistakes []error

func (m *mistakes) add(field, format string, args ...any) {
	*m = append(*m, fmt.Errorf("%w: "+field+": "+format, append([]any{ErrConfig}, args...)...))
}

func (c Config) validate() error {
	var m mistakes
	for field, missing := range map[string]bool{"Users": c.Users == nil, "Attributes": c.Attributes == nil, "SignIns": c.SignIns == nil} {
		if missing {
			m.add(field, "required")
		}
	}
	c.validateProviders(&m)
	c.validateEmail(&m)
	c.validateUserID(&m)
	c.validateTexts(&m)
	for field, d := range map[string]time.Duration{"SendTimeout": c.SendTimeout, "AttributeTimeout": c.AttributeTimeout, "Deadline": c.Deadline} {
		if d < 0 || d > cognitoTimeout {
			m.add(field, "%v is not within 0 to %v", d, cognitoTimeout)
		}
	}
	slices.SortFunc(m, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(m...)
}

func (c Config) validateProviders(m *mistakes) {
	if len(c.Providers) == 0 {
		m.add("Providers", "at least one is required")
	}
	for i, p := range c.Providers {
		switch {
		case p == "" || len([]rune(p)) > providerNameLimit || strings.TrimSpace(p) != p:
			m.add("Providers", "%q is not a name of 1 to %d characters", p, providerNameLimit)
		case slices.ContainsFunc(c.Providers[:i], func(q string) bool { return strings.EqualFold(p, q) }):
			m.add("Providers", "%q is there twice (case does not tell them apart)", p)
		}
	}
}

// validateEmail refuses half a rule: a field that does nothing without the
// other would let people believe that it does.
func (c Config) validateEmail(m *mistakes) {
	for _, d := range c.AllowedEmailDomains {
		if !isDomain(d) {
			m.add("AllowedEmailDomains", "%q is not a domain in ASCII, such as ssu.ac.kr", d)
		}
	}
	for _, p := range c.EmailDomainExempt {
		if !slices.Contains(c.Providers, p) {
			m.add("EmailDomainExempt", "%q is not in Providers", p)
		}
	}
	if len(c.AllowedEmailDomains) == 0 && (len(c.EmailDomainExempt) > 0 || c.AllowUnverifiedEmailDomain) {
		m.add("AllowedEmailDomains", "required with EmailDomainExempt or AllowUnverifiedEmailDomain")
	}
}

func (c Config) validateUserID(m *mistakes) {
	if !customAttribute.MatchString(c.UserIDAttribute) {
		m.add("UserIDAttribute", `%q is not "custom:" and a name of 1 to 20 characters`, c.UserIDAttribute)
	}
	if c.UserIDSource != AttributeFirst && c.UserIDSource != AlwaysStore {
		m.add("UserIDSource", "%q is neither %q nor %q", c.UserIDSource, AttributeFirst, AlwaysStore)
	}
	if c.RefuseMismatch && c.UserIDSource != AlwaysStore {
		m.add("RefuseMismatch", "needs UserIDSource %q: else nothing is compared", AlwaysStore)
	}
}
