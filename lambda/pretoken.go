package lambda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// preTokenGeneration puts the userId into the token, and the claims of the
// hook. What the user lacks is made good last, so that it takes no time from
// the token.
func (t *Triggers) preTokenGeneration(ctx context.Context, e *event, res *Result) error {
	if err := e.keepGroups(); err != nil {
		return err
	}
	at := t.signedInAt(e)
	id, err := t.userID(ctx, e, at, res)
	switch {
	case t.mayDegrade(err):
		return t.degrade(ctx, e, res, err)
	case err != nil:
		return err // fail closed: a token without an id is nobody's
	}
	if err := t.extraClaims(ctx, e, id); err != nil {
		return err
	}
	if err := e.addClaim(t.cfg.UserIDAttribute, id); err != nil {
		return err
	}
	if !at.IsZero() && res.madeGood() && !res.SignInRecorded {
		// Somebody lost at sign-up comes back. PostAuthentication's message of
		// this sign-in may be read before there was a row, and then be dropped.
		// The store should have written it with the row, and could not.
		t.signIn(ctx, e, at, res)
	}
	t.mend(ctx, e, id, res)
	return nil
}

// signedInAt is the time of the sign-in that the token is of, zero if it may be
// of none: the other sources are, or may be, refreshes.
func (t *Triggers) signedInAt(e *event) (at time.Time) {
	if e.source == sourceHostedAuth || e.source == sourceNewPassword {
		at = t.cfg.Now().UTC()
	}
	return at
}

// machineToken answers for a client credentials grant. A machine has no row.
func (t *Triggers) machineToken(ctx context.Context, e *event, _ *Result) error {
	return t.extraClaims(ctx, e, "")
}

// userID is the id that goes into the token: the attribute, or what this
// process just wrote there, or else the row's, which also heals a lost sign-up.
func (t *Triggers) userID(ctx context.Context, e *event, at time.Time, res *Result) (string, error) {
	attribute := e.attribute(t.cfg.UserIDAttribute)
	if t.cfg.UserIDSource == AttributeFirst {
		if attribute != "" {
			return attribute, nil
		}
		if last, ok := t.recent.get(e.user(), t.cfg.Now()); ok {
			return last.id, nil
		}
	}
	id, err := t.ensureForToken(ctx, e, at, res)
	if err != nil {
		return "", err
	}
	res.FromStore, res.Mismatch = true, attribute != "" && attribute != id
	if res.Mismatch && t.cfg.RefuseMismatch {
		return "", ErrMismatch // fail closed: one of the two is somebody else's
	}
	return id, nil
}

// ensureForToken leaves a quarter of the time where the token may go out
// without the store: a store that hangs must not take that away, too.
func (t *Triggers) ensureForToken(ctx context.Context, e *event, at time.Time, res *Result) (string, error) {
	if end, ok := ctx.Deadline(); ok && t.cfg.AllowMissingUserID {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)*3/4)
		defer cancel()
	}
	return t.ensure(ctx, e, at, res)
}

func (t *Triggers) mayDegrade(err error) bool {
	return t.cfg.AllowMissingUserID &&
		(errors.Is(err, users.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded))
}

// degrade lets a token out without a userId. Cognito itself would put the
// attribute into the ID token, and it comes here only when it is not believed.
func (t *Triggers) degrade(ctx context.Context, e *event, res *Result, cause error) error {
	res.Outcome, res.Reason = OutcomeDegraded, "store_unavailable"
	t.logger(ctx, res).LogAttrs(ctx, slog.LevelWarn, "token without userId", slog.String("error", cause.Error()))
	if err := t.extraClaims(ctx, e, ""); err != nil {
		return err
	}
	if e.attribute(t.cfg.UserIDAttribute) == "" {
		return nil
	}
	return e.suppressClaim(t.cfg.UserIDAttribute)
}
