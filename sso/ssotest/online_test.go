package ssotest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// byGetUser is what the comment of middleware.AccessCheckerFunc shows.
func byGetUser(api *cip.Client) middleware.AccessChecker {
	return middleware.AccessCheckerFunc(func(ctx context.Context, access sso.Secret) error {
		_, err := api.GetUser(ctx, &cip.GetUserInput{AccessToken: aws.String(access.Reveal())})
		var refused *types.NotAuthorizedException
		var deleted *types.UserNotFoundException
		if errors.As(err, &refused) || errors.As(err, &deleted) {
			return middleware.ErrSignInEnded
		}
		return err
	})
}

// TestOnlineByGetUser: an online check by Cognito's API notices each way in
// which a sign-in ends, and an outage is none of them.
func TestOnlineByGetUser(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		end  func(c *cip.Client, pool, user *string, tokens *types.AuthenticationResultType) error
	}{
		{"signed out everywhere", func(c *cip.Client, pool, user *string, _ *types.AuthenticationResultType) error {
			_, err := c.AdminUserGlobalSignOut(t.Context(), &cip.AdminUserGlobalSignOutInput{UserPoolId: pool, Username: user})
			return err
		}},
		{"refresh token revoked", func(c *cip.Client, _, _ *string, tokens *types.AuthenticationResultType) error {
			_, err := c.RevokeToken(t.Context(), &cip.RevokeTokenInput{Token: tokens.RefreshToken, ClientId: aws.String(ssotest.DefaultClientID)})
			return err
		}},
		{"disabled", func(c *cip.Client, pool, user *string, _ *types.AuthenticationResultType) error {
			_, err := c.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: pool, Username: user})
			return err
		}},
		{"deleted", func(c *cip.Client, pool, user *string, _ *types.AuthenticationResultType) error {
			_, err := c.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: pool, Username: user})
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := ssotest.NewPool(t, ssotest.Config{})
			addUser(t, p, ssotest.User{Username: "u", Password: password})
			c := sdk(p)
			check := byGetUser(c)
			tokens := nativeTokens(t, p, ssotest.DefaultClientID, "u")
			access := sso.Secret(*tokens.AccessToken)
			if err := check.CheckAccess(t.Context(), access); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := row.end(c, aws.String(p.ID()), aws.String("u"), tokens); err != nil {
				t.Fatal(err)
			}
			if err := check.CheckAccess(t.Context(), access); !errors.Is(err, middleware.ErrSignInEnded) {
				t.Errorf("after: %v", err)
			}
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		p := ssotest.NewPool(t, ssotest.Config{})
		addUser(t, p, ssotest.User{Username: "u", Password: password})
		access := sso.Secret(*nativeTokens(t, p, ssotest.DefaultClientID, "u").AccessToken)
		check := byGetUser(sdk(p))
		p.Close()
		if err := check.CheckAccess(t.Context(), access); err == nil || errors.Is(err, middleware.ErrSignInEnded) {
			t.Errorf("%v", err)
		}
	})
}
