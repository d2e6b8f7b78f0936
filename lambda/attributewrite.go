package lambda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// answerReserve is the part of an event's time that nothing optional may take:
// it is for the answer to get out.
const answerReserve = 100 * time.Millisecond

var errNoTime = errors.New("lambda: no time left")

// setUserID copies the row's id to the pool. The row is the truth and the
// token trigger heals, so a failure is counted and no more.
func (t *Triggers) setUserID(ctx context.Context, e *event, id string, res *Result) {
	if t.hasUserID(e, id) {
		return
	}
	err := t.writeUserID(ctx, e, id)
	res.AttributeWritten, res.AttributeFailed = err == nil, err != nil
	t.recent.put(e.user(), recentWrite{id: id, at: t.cfg.Now(), written: err == nil})
	if err != nil {
		t.logger(ctx, res).LogAttrs(ctx, slog.LevelWarn, "userId attribute not written; a later token will heal it",
			slog.String("error", err.Error()))
	}
}

// hasUserID: the event shows the attribute, or shows none and this process
// wrote it just now, as when Cognito calls PostConfirmation again.
func (t *Triggers) hasUserID(e *event, id string) bool {
	if attribute := e.attribute(t.cfg.UserIDAttribute); attribute != "" {
		return attribute == id
	}
	last, ok := t.recent.get(e.user(), t.cfg.Now())
	return ok && last.written && last.id == id
}

func (t *Triggers) writeUserID(ctx context.Context, e *event, id string) error {
	ctx, cancel := withReserve(ctx, t.cfg.AttributeTimeout)
	defer cancel()
	if ctx.Err() != nil {
		return errNoTime
	}
	return guard(func() error {
		return t.cfg.Attributes.SetUserID(ctx, e.poolID, e.userName, t.cfg.UserIDAttribute, id)
	})
}

// withReserve gives the smaller of limit and what is left without the reserve.
func withReserve(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)-answerReserve)
	}
	return context.WithTimeout(ctx, limit)
}

// mend writes the attribute of a user who should have had it. In a first
// sign-in at most one of PostConfirmation and the token trigger writes it, of
// which there are 25 a second in a pool (docs/decisions/0012):
//
//   - PostConfirmation wrote it in this process, and the event is older: no.
//   - It tried in this process, and failed: yes, once more.
//   - The row was lost and made only now: yes, PostConfirmation never got there.
//   - The row was there, and Cognito made the user a moment ago: no.
//     PostConfirmation got there, in another process, and the event may be
//     older than its write. If the write failed, the next token after
//     firstSignIn, or reconciliation, makes it.
//   - Otherwise: yes. The attribute is really missing, or wrong.
func (t *Triggers) mend(ctx context.Context, e *event, id string, res *Result) {
	if t.needsMending(e, id, res) {
		res.Healed = true
		t.setUserID(ctx, e, id, res)
	}
}

func (t *Triggers) needsMending(e *event, id string, res *Result) bool {
	if attribute := e.attribute(t.cfg.UserIDAttribute); attribute != "" {
		return attribute != id
	}
	if last, ok := t.recent.get(e.user(), t.cfg.Now()); ok && last.id == id {
		return !last.written
	}
	lost := res.User != users.Existing
	return lost || !t.isFirstSignIn(e)
}

// isFirstSignIn reports whether this may be the token of the sign-in in which
// the user was made. Native users sign in by a call of their own, whose event
// is new; so is that of a refresh.
func (t *Triggers) isFirstSignIn(e *event) bool {
	if e.source != sourceHostedAuth || e.attribute("cognito:user_status") != federated {
		return false
	}
	entries, err := parseIdentities(e.attribute("identities"))
	if err != nil {
		return false
	}
	entry, err := t.choose(entries)
	if err != nil || entry.created.IsZero() {
		return false
	}
	return t.cfg.Now().Sub(entry.created).Abs() < firstSignIn // Abs: clocks differ
}
