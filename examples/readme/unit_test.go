package readme_test

import (
	"net/http/httptest"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// README:unit
func TestMe(t *testing.T) {
	pool := ssotest.NewPool(t, ssotest.Config{})
	api, err := newAPI(pool.VerifierConfig())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+pool.AccessToken(ssotest.Claims{UserID: "42"}))
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "42\n" {
		t.Errorf("GET /me: %d %q", w.Code, w.Body)
	}
}

// README:end
