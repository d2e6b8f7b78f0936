package middleware_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// TestForeignAnswerEndsTheSession: a refresh token that answers for somebody
// else is not asked again, whatever Cognito answers then, and the one that came
// with the answer is revoked: nobody here may use it.
func TestForeignAnswerEndsTheSession(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T) {
		t.Helper()
		const foreign = "refresh-token-of-somebody-else"
		w := newWorld(t)
		a, b := w.newApp(appBase), w.newBrowser()
		b.signIn(a)
		stranger := ssotest.Claims{Subject: "lee"}
		body, err := json.Marshal(map[string]any{
			"id_token": w.pool.IDToken(stranger), "access_token": w.pool.AccessToken(stranger),
			"refresh_token": foreign, "token_type": "Bearer", "expires_in": 3600,
		})
		if err != nil {
			t.Fatal(err)
		}
		var revoked atomic.Int64
		w.wire.setHook(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/oauth2/token":
				return answer(200, "application/json", string(body))(r)
			case "/oauth2/revoke":
				if err := r.ParseForm(); err == nil && r.PostForm.Get("token") == foreign {
					revoked.Add(1)
				}
				return answer(200, "text/plain", "")(r)
			}
			return nil, nil
		})
		w.pool.Advance(nearEnd)
		if b.signedIn(a) {
			t.Error("signed in by somebody else's tokens")
		}
		if revoked.Load() != 1 {
			t.Errorf("the foreign refresh token was revoked %d times", revoked.Load())
		}
		if a.cfg.CookieSessions != nil {
			return // there is nothing to delete
		}
		w.wire.setHook(nil)
		if asked := w.wire.count("/oauth2/token"); b.signedIn(a) || w.wire.count("/oauth2/token") != asked {
			t.Error("the session is still there")
		}
		w.pool.Advance(2 * time.Minute)
		if b.signedIn(a) {
			t.Error("the session came back")
		}
	})
}
