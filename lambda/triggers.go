package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Triggers handles every trigger event of a user pool. It is safe for
// concurrent use.
type Triggers struct {
	cfg    Config
	recent recent
}

// NewTriggers checks cfg and returns Triggers. Its error is [ErrConfig] and
// names every field that is wrong.
func NewTriggers(cfg Config) (*Triggers, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Triggers{cfg: cfg}, nil
}

// handlers has every trigger source that is answered. An unlisted one is
// refused, also a new kind of token generation: what we have never heard of
// gets no token.
var handlers = map[string]func(*Triggers, context.Context, *event, *Result) error{
	"PreSignUp_SignUp":           (*Triggers).preSignUpNative,
	"PreSignUp_AdminCreateUser":  (*Triggers).pass,
	"PreSignUp_ExternalProvider": (*Triggers).preSignUpExternal,

	"PostConfirmation_ConfirmSignUp": (*Triggers).postConfirmation,
	// A password reset of a user who is there already.
	"PostConfirmation_ConfirmForgotPassword": (*Triggers).pass,

	"PreAuthentication_Authentication":  (*Triggers).pass,
	"PostAuthentication_Authentication": (*Triggers).postAuthentication,

	sourceHostedAuth:                     (*Triggers).preTokenGeneration,
	"TokenGeneration_Authentication":     (*Triggers).preTokenGeneration,
	sourceNewPassword:                    (*Triggers).preTokenGeneration,
	"TokenGeneration_AuthenticateDevice": (*Triggers).preTokenGeneration,
	"TokenGeneration_RefreshTokens":      (*Triggers).preTokenGeneration,
	sourceClientCredentials:              (*Triggers).machineToken,

	sourceInboundFederation: (*Triggers).inboundFederation,
}

const (
	sourceHostedAuth        = "TokenGeneration_HostedAuth"
	sourceNewPassword       = "TokenGeneration_NewPasswordChallenge"
	sourceClientCredentials = "TokenGeneration_ClientCredentials"
	sourceInboundFederation = "InboundFederation_ExternalProvider"
)

// Handle answers one trigger event, whichever trigger it is of. Its signature
// fits lambda.Start of aws-lambda-go. A ping {"warmup":true} is answered with
// itself before anything else is done.
//
// The answer is the event with its response filled in; members that are
// unknown here come back as they were. Every error is a [PublicError], whose
// text Cognito shows to the user; none quotes the event.
func (t *Triggers) Handle(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	started := t.cfg.Now()
	res := Result{Source: sourceUnknown, Outcome: OutcomeOK}
	ctx, retries := withRetries(ctx)
	var out json.RawMessage
	err := guard(func() (err error) {
		out, err = t.handle(ctx, raw, &res)
		return err
	})
	res.Retries = int(retries.Load())
	var cause error
	if err != nil {
		public, reason, refused := t.judge(err)
		res.Outcome, res.Reason, cause = OutcomeFailed, reason, err
		if refused {
			res.Outcome = OutcomeRefused
		}
		out, err = nil, public
	}
	res.Duration = t.cfg.Now().Sub(started)
	t.report(ctx, res, cause)
	return out, err
}

func (t *Triggers) handle(ctx context.Context, raw json.RawMessage, res *Result) (json.RawMessage, error) {
	e, err := parseEvent(raw)
	if err != nil {
		return nil, err
	}
	if e.isWarmup() {
		res.Source = sourceWarmup
		return json.RawMessage(`{"warmup":true}`), nil
	}
	handler, ok := handlers[e.source]
	if !ok {
		return nil, ErrUnknownTrigger
	}
	res.Source = e.source
	if e.poolID == "" {
		return nil, fmt.Errorf("%w: no userPoolId", ErrBadEvent)
	}
	if e.userName == "" && e.source != sourceClientCredentials {
		return nil, fmt.Errorf("%w: no userName", ErrBadEvent)
	}
	ctx, cancel := t.withDeadline(ctx)
	defer cancel()
	if err := handler(t, ctx, e, res); err != nil {
		return nil, err
	}
	return e.answer()
}

// withDeadline leaves a moment before the function's own end, so that an
// answer, even a refusal, still gets out.
func (t *Triggers) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	const margin = 200 * time.Millisecond
	budget := t.cfg.Deadline
	if end, ok := ctx.Deadline(); ok {
		budget = min(budget, time.Until(end)-margin)
	}
	return context.WithTimeout(ctx, budget)
}

// pass answers with the event as it came.
func (t *Triggers) pass(context.Context, *event, *Result) error { return nil }

func (t *Triggers) inboundFederation(context.Context, *event, *Result) error {
	return ErrInboundFederation
}

// ensure gets the user's row, and has a sign-in at that time written with it if
// it becomes the user's only now; a zero at is none. If the event does not say
// clearly who the user is at the provider, only a row that already has the sub
// will do.
func (t *Triggers) ensure(ctx context.Context, e *event, at time.Time, res *Result) (id string, err error) {
	who, err := t.identityOf(e)
	who.At = at
	var got users.Result
	switch {
	case errors.Is(err, ErrIdentity):
		got.Outcome = users.Existing
		found, lookup := t.cfg.Users.IDBySub(ctx, who.Sub)
		switch {
		case lookup == nil:
			got.ID, err = found, nil
		case !errors.Is(lookup, users.ErrNotFound):
			err = lookup
		}
	case err == nil:
		got, err = t.cfg.Users.Ensure(ctx, who)
	}
	if err != nil {
		return "", err
	}
	if got.ID == "" {
		return "", fmt.Errorf("%w: the store gave no id", users.ErrUnavailable) // fail closed: "" is nobody
	}
	res.User, res.SignInRecorded = got.Outcome, got.SignInRecorded
	return got.ID, nil
}

// signIn leaves a sign-in at that time in the queue. It fails open: nobody is kept out
// because a time could not be noted. The operator sees SignInLost.
func (t *Triggers) signIn(ctx context.Context, e *event, at time.Time, res *Result) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.SendTimeout)
	defer cancel()
	err := fmt.Errorf("%w: no sub", ErrBadEvent)
	if sub := e.attribute("sub"); sub != "" {
		s := SignIn{Version: signInVersion, Sub: sub, UserPoolID: e.poolID, At: at}
		err = guard(func() error { return t.cfg.SignIns.Send(ctx, s) })
	}
	if err != nil {
		res.SignInLost = true
		t.logger(ctx, res).LogAttrs(ctx, slog.LevelWarn, "sign-in not queued", slog.String("error", err.Error()))
	}
}
