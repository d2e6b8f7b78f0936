package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// retryAfter is what Retry-After says, in seconds, when keys, a store or
// Cognito cannot be reached.
const retryAfter = 5

// refusal is the public side of an error: a status and fixed texts. The error
// itself is for logs.
type refusal struct {
	status      int
	code        string // error of RFC 6750 §3.1, or of this package
	description string
	scope       string
	maxAge      time.Duration // of RFC 9470 §3, if not 0
	// bare is a challenge without an error code: no credentials were sent
	// (RFC 6750 §3.1).
	bare bool
}

// refusalOf decides how an error is answered: a token fault is 401, a missing
// right 403, keys or stores out of reach 503.
func refusalOf(err error) refusal {
	var scope *ScopeError
	var fresh *FreshnessError
	switch {
	case errors.Is(err, ErrAuthorizationHeader):
		return refusal{status: http.StatusBadRequest, code: "invalid_request", description: "The Authorization header is malformed."}
	case errors.Is(err, ErrTokenSource):
		return refusal{status: http.StatusBadRequest, code: "invalid_request", description: "The request carries a malformed token, or more than one."}
	case errors.Is(err, ErrTokenConflict):
		return refusal{status: http.StatusBadRequest, code: "invalid_request", description: "The request carries tokens that do not belong together."}
	case errors.As(err, &scope):
		return refusal{status: http.StatusForbidden, code: "insufficient_scope", description: "The token lacks a required scope.", scope: strings.Join(scope.Scopes, " ")}
	case errors.Is(err, ErrNotFresh):
		ref := refusal{status: http.StatusUnauthorized, code: "insufficient_user_authentication", description: "More recent authentication is required."}
		if errors.As(err, &fresh) {
			ref.maxAge = fresh.MaxAge
		}
		return ref
	case errors.Is(err, ErrSignInEnded):
		return refusal{status: http.StatusUnauthorized, code: "invalid_token", description: "The sign-in has ended."}
	case errors.Is(err, ErrSessionStore), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable
	case errors.Is(err, ErrDenied):
		return refusal{status: http.StatusForbidden, code: "insufficient_scope", description: "The request is not allowed."}
	}
	switch sso.ReasonOf(err) {
	case "missing":
		return refusal{status: http.StatusUnauthorized, code: "unauthorized", description: "Credentials are required.", bare: true}
	case "scope":
		return refusal{status: http.StatusForbidden, code: "insufficient_scope", description: "The token lacks a required scope."}
	case "group":
		return refusal{status: http.StatusForbidden, code: "insufficient_scope", description: "The user is not in a required group."}
	case "no_user_id":
		return refusal{status: http.StatusForbidden, code: "insufficient_scope", description: "The token carries no user id."}
	case "keys_unavailable", "unavailable":
		return unavailable
	case "expired":
		return refusal{status: http.StatusUnauthorized, code: "invalid_token", description: "The token has expired."}
	case "ok", "other", "configuration":
		// fail closed: an error that nobody has classified lets nobody in, and
		// blames nobody's token.
		return refusal{status: http.StatusInternalServerError, code: "server_error", description: "The server cannot check the request."}
	}
	// Every other reason is a fault of the token. Which one is for logs: it
	// helps whoever forges tokens more than whoever sends them.
	return refusal{status: http.StatusUnauthorized, code: "invalid_token", description: "The token is not valid."}
}

var unavailable = refusal{
	status:      http.StatusServiceUnavailable,
	code:        "temporarily_unavailable",
	description: "The request cannot be checked now. Try again later.",
}

// gone says whether the client has left, so that there is nobody to answer.
func gone(r *http.Request, err error) bool {
	return errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.Canceled)
}

// problem is the body of a refusal.
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Scope       string `json:"scope,omitempty"`
	LoginURL    string `json:"login_url,omitempty"`
}

// bearerFail answers err as RFC 6750 §3 asks. realm was checked by NewBearer.
func bearerFail(w http.ResponseWriter, r *http.Request, realm string, err error) {
	if gone(r, err) {
		return
	}
	ref := refusalOf(err)
	if ref.status < http.StatusInternalServerError {
		w.Header().Set("WWW-Authenticate", ref.challenge(realm))
	}
	ref.writeJSON(w, "")
}

// challenge is the value of WWW-Authenticate. All its texts are constants,
// names given at start-up and checked there: nothing of the request is in it.
func (ref refusal) challenge(realm string) string {
	c := `Bearer realm="` + realm + `"`
	if ref.bare {
		return c
	}
	c += `, error="` + ref.code + `", error_description="` + ref.description + `"`
	if ref.scope != "" {
		c += `, scope="` + ref.scope + `"`
	}
	if seconds := int64(ref.maxAge / time.Second); seconds > 0 {
		c += `, max_age="` + strconv.FormatInt(seconds, 10) + `"`
	}
	return c
}

// writeJSON writes status, body and the headers of every refusal.
func (ref refusal) writeJSON(w http.ResponseWriter, loginURL string) {
	if ref.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	writeJSON(w, ref.status, problem{Error: ref.code, Description: ref.description, Scope: ref.scope, LoginURL: loginURL})
}

// writeJSON writes v, which always marshals, as an answer that is not cached.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	// A handler further out may have promised another body.
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// quotable says whether s can stand in a quoted-string of WWW-Authenticate as
// it is (RFC 6750 §3).
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
