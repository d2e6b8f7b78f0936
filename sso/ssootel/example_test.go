package ssootel_test

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssootel"
)

// What a verifier does is measured, and its refusals are logged.
func ExampleNew() {
	metrics, err := ssootel.New(otel.GetMeterProvider())
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := sso.NewVerifier(sso.Config{
		UserPoolID: "ap-northeast-2_AbCdEfGhI",
		ClientIDs:  []string{"1example23456789"},
		Observer:   sso.Observers(metrics, sso.NewLogObserver(slog.Default())),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = v.VerifyAccess(context.Background(), "not a token")
	fmt.Println(sso.ReasonOf(err))
	// Output: malformed
}
