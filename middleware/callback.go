package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	maxCallbackQuery = 8 << 10
	maxStateLen      = 128
	// exchangeTimeout bounds redeeming a code. It goes on when the browser
	// reloads meanwhile, because the code can be redeemed only once.
	exchangeTimeout = 20 * time.Second

	// maxTries is how many completed sign-ins may pass without their session
	// being seen before Login stops and explains; triesAge is how long they
	// count.
	maxTries = "2"
	triesAge = 2 * time.Minute
)

// serveCallback finishes a sign-in. The order of its steps matters: nothing is
// sent to Cognito before the callback is known to belong to this browser.
func (l *Login) serveCallback(w http.ResponseWriter, r *http.Request) {
	// 1 (GET only) is done. 2: exactly one state, and one code or error.
	query, ok := callbackQuery(r)
	if !ok {
		l.refused(r, "form")
		l.page(w, r, http.StatusBadRequest, PageAgain, pageData{LoginURL: l.loginURL("")})
		return
	}
	// 3: the flow of this state, in this browser.
	state := query.Get("state")
	f, ok := l.findFlow(r, state)
	if !ok {
		l.noFlow(w, r)
		return
	}
	// 4: a flow is good for one callback.
	l.cookies.remove(w, l.cookies.flowName(state))
	// 5 to 8 are sso.Client.Exchange: error, iss, code and tokens. 9 is in
	// finish and below.
	id, err := l.finish(r.Context(), state, f, query)
	if err != nil {
		l.callbackFailed(w, r, f, err)
		return
	}
	// 10.
	l.keepSession(w, r, id)
	tries, _ := l.cookies.get(r, l.cookies.tries)
	l.cookies.set(w, l.cookies.tries, nextTry(tries), triesAge)
	if l.cookies.has(r, l.cookies.silent) {
		l.cookies.remove(w, l.cookies.silent)
	}
	l.redirect(w, l.returnTo(f.ReturnTo))
}

// callbackQuery checks the form of a callback.
func callbackQuery(r *http.Request) (url.Values, bool) {
	if len(r.URL.RawQuery) > maxCallbackQuery {
		return nil, false
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, false
	}
	state := query["state"]
	if len(state) != 1 || state[0] == "" || len(state[0]) > maxStateLen {
		return nil, false
	}
	if len(query["code"])+len(query["error"]) != 1 || hasRepeated(query, "iss", "error_description") {
		return nil, false
	}
	return query, true
}

// finish redeems the code and stores a session with a new id. Requests with one
// state share one attempt: a person who reloads a slow callback is signed in by
// either answer. The state was found in the browser of each of them.
func (l *Login) finish(ctx context.Context, state string, f flow, query url.Values) (id string, err error) {
	detached := context.WithoutCancel(ctx)
	done := l.exchanges.DoChan(state, func() (any, error) {
		ctx, cancel := context.WithTimeout(detached, exchangeTimeout)
		defer cancel()
		set, err := l.client.Exchange(ctx, f.Flow, query)
		var answered *sso.UnverifiedError
		if errors.As(err, &answered) {
			// Nobody will ever use it.
			l.sessions.revoke(ctx, answered.Refresh)
		}
		if err != nil {
			return "", err
		}
		id, err := l.createSession(ctx, set)
		if err != nil {
			l.sessions.revoke(ctx, set.Refresh)
		}
		return id, err
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		id, _ := r.Val.(string)
		return id, r.Err
	}
}

// nextTry counts a completed sign-in.
func nextTry(tries string) string {
	n, err := strconv.Atoi(tries)
	if err != nil || n < 0 {
		n = 0
	}
	most, _ := strconv.Atoi(maxTries)
	return strconv.Itoa(min(n+1, most))
}

// noFlow answers a callback that has no flow in this browser: a tab left open
// too long, a replayed or bookmarked callback, one made by somebody else, or
// cookies that the browser refuses.
func (l *Login) noFlow(w http.ResponseWriter, r *http.Request) {
	_, _, err := l.load(w, r)
	switch {
	case err == nil:
		l.redirect(w, defaultReturnTo)
	case gone(r, err):
	default:
		// No redirect to sign in again: it would go round in circles.
		l.refused(r, "no_flow")
		l.page(w, r, http.StatusBadRequest, PageAgain, pageData{LoginURL: l.loginURL("")})
	}
}

// callbackFailed answers a callback of this browser that did not sign it in.
// Nothing that came from outside is shown.
func (l *Login) callbackFailed(w http.ResponseWriter, r *http.Request, f flow, err error) {
	if gone(r, err) {
		return
	}
	returnTo := l.returnTo(f.ReturnTo)
	again := pageData{LoginURL: l.loginURL(returnTo)}
	var auth *sso.AuthError
	errors.As(err, &auth)
	reason := string(sso.ReasonOf(err))
	if auth != nil {
		reason = auth.Code
	}
	if l.silentFailed(w, r, f, auth, returnTo) {
		level := slog.LevelInfo // that nobody is signed in is an ordinary answer
		if auth == nil || auth.Status != 0 {
			level = slog.LevelWarn
		}
		l.log.Log(r.Context(), level, "sso: nobody was signed in silently", "reason", reason)
		return
	}
	if auth != nil {
		l.authFailed(w, r, auth, returnTo)
		return
	}
	switch refusalOf(err).status {
	case http.StatusServiceUnavailable:
		l.log.WarnContext(r.Context(), "sso: a sign-in could not be finished", "reason", reason, "error", err)
		l.page(w, r, http.StatusServiceUnavailable, PageUnavailable, again)
	case http.StatusInternalServerError:
		l.log.ErrorContext(r.Context(), "sso: a sign-in could not be finished", "reason", reason, "error", err)
		l.page(w, r, http.StatusInternalServerError, PageError, again)
	default:
		l.refused(r, reason)
		l.page(w, r, http.StatusBadRequest, PageAgain, again)
	}
}

// authFailed answers an error of Cognito's.
func (l *Login) authFailed(w http.ResponseWriter, r *http.Request, err *sso.AuthError, returnTo string) {
	again := pageData{LoginURL: l.loginURL(returnTo)}
	code := err.Code
	if err.Status != 0 && code != "invalid_grant" {
		// The token endpoint refuses the client itself.
		code = "client"
	}
	switch code {
	case "invalid_grant":
		// The code was redeemed or is too old. Whoever is signed in anyway has
		// seen a callback twice.
		if _, _, loadErr := l.load(w, r); loadErr == nil {
			l.redirect(w, returnTo)
			return
		}
		l.refused(r, code)
		l.page(w, r, http.StatusBadRequest, PageAgain, again)
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		// Answers to prompt=none, which was not asked for.
		l.refused(r, code)
		l.page(w, r, http.StatusBadRequest, PageAgain, again)
	case "access_denied":
		l.page(w, r, http.StatusForbidden, PageCancelled, again)
	case "invalid_request", "unauthorized_client":
		// A trigger or the identity provider refused. Why is in the
		// description, which may be about the person: neither shown nor logged.
		l.refused(r, code)
		l.page(w, r, http.StatusForbidden, PageRefused, again)
	case "server_error", "temporarily_unavailable":
		l.refused(r, code)
		l.page(w, r, http.StatusServiceUnavailable, PageUnavailable, again)
	default:
		l.log.ErrorContext(r.Context(), "sso: Cognito refuses this app client", "code", err.Code, "status", err.Status)
		l.page(w, r, http.StatusInternalServerError, PageError, again)
	}
}

// refused logs a callback that signed nobody in, by a reason of a few words.
func (l *Login) refused(r *http.Request, reason string) {
	l.log.InfoContext(r.Context(), "sso: callback refused", "reason", reason)
}
