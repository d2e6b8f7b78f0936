package ssotest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// A test that needs a token mints one; with a *testing.T, use NewPool instead of Start.
func Example() {
	pool, err := ssotest.Start(ssotest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	verifier, err := sso.NewVerifier(pool.VerifierConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := verifier.VerifyAccess(context.Background(), pool.AccessToken(ssotest.Claims{UserID: "42"}))
	fmt.Println(token.UserID, err)
	// Output: 42 <nil>
}

// The pool's clock moves, and so does that of the verifiers it configures.
func ExamplePool_Advance() {
	pool, err := ssotest.Start(ssotest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	verifier, err := sso.NewVerifier(pool.VerifierConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := pool.AccessToken(ssotest.Claims{})
	pool.Advance(2 * time.Hour)
	_, err = verifier.VerifyAccess(context.Background(), raw)
	fmt.Println(sso.ReasonOf(err))
	// Output: expired
}

// Every way for Cognito to fail is a switch.
func ExamplePool_SetFaults() {
	pool, err := ssotest.Start(ssotest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	verifier, err := sso.NewVerifier(pool.VerifierConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	pool.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown })
	_, err = verifier.VerifyAccess(context.Background(), pool.AccessToken(ssotest.Claims{}))
	fmt.Println(sso.ReasonOf(err))
	// Output: keys_unavailable
}
