package readme_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// README:api
var production = sso.Config{UserPoolID: "ap-northeast-2_AbCdEfGhI", ClientIDs: []string{"your-client-id"}}

func newAPI(cfg sso.Config) (http.Handler, error) {
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		return nil, err
	}
	b, err := middleware.NewBearer(v, middleware.BearerConfig{RequireUserID: true})
	if err != nil {
		return nil, err
	}
	return b.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.UserID(r.Context()) // the caller's row in the user table
		fmt.Fprintln(w, id)
	})), nil
}

// README:end

// The API of the README, asked without a token, with a token of somebody
// without a row, with a token for another app, and with a good one.
func Example_api() {
	pool, err := ssotest.Start(ssotest.Config{})
	must(err)
	defer pool.Close()
	api, err := newAPI(pool.VerifierConfig(ssotest.DefaultClientID))
	must(err)
	for _, token := range []string{
		"",
		pool.AccessToken(ssotest.Claims{}),
		pool.AccessToken(ssotest.Claims{ClientID: "another-app", UserID: "42"}),
		pool.AccessToken(ssotest.Claims{UserID: "42"}),
	} {
		r := httptest.NewRequest(http.MethodGet, "/me", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			fmt.Println(w.Code)
			continue
		}
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 401
	// 403
	// 401
	// 200 42
}

// The configuration for production, as the README writes it, is a valid one.
func Example_production() {
	_, err := newAPI(production)
	fmt.Println(err)
	// Output: <nil>
}
