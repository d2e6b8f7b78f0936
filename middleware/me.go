package middleware

import (
	"errors"
	"net/http"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// user is the answer of Prefix/me.
type user struct {
	Subject       string   `json:"sub"`
	UserID        string   `json:"userId,omitempty"`
	Name          string   `json:"name,omitempty"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"emailVerified,omitempty"`
	Groups        []string `json:"groups,omitempty"`
}

// serveUser tells the front end of the same origin who is signed in. Other
// sites cannot read it: there are no CORS headers, and it is no script.
func (l *Login) serveUser(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	addVary(h, "Cookie", "Sec-Fetch-Site")
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		refusal{status: http.StatusForbidden, code: "cross_origin", description: "This is for pages of the same origin."}.writeJSON(w, "")
		return
	}
	_, token, err := l.load(w, r)
	switch {
	case err == nil:
		l.seen(w, r)
		writeJSON(w, http.StatusOK, user{
			Subject:       token.Subject,
			UserID:        token.UserID.String(),
			Name:          token.Name,
			Email:         token.Email,
			EmailVerified: token.EmailVerified,
			Groups:        token.Groups(),
		})
	case gone(r, err):
	case errors.Is(err, sso.ErrMissing):
		l.unauthorized(w)
	default:
		refusalOf(err).writeJSON(w, "")
	}
}
