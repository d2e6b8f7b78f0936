package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

const (
	tokenMost   = time.Hour
	refreshMost = 90 * 24 * time.Hour
	day         = 24 * time.Hour
)

func (r *run) checkClients(context.Context) {
	for _, c := range r.clients {
		if c.machine() {
			r.checkLifetimes(c)
			continue // it signs nobody in
		}
		r.checkFlows(c)
		r.checkScopes(c)
		r.checkSecrecy(c)
		r.checkLifetimes(c)
	}
}

func (r *run) checkFlows(c client) {
	if len(c.SupportedIdentityProviders) == 0 {
		r.add(ClientNoProvider, c.id, "It has no identity provider.")
	}
	if slices.Contains(c.AllowedOAuthFlows, types.OAuthFlowTypeImplicit) {
		r.add(ImplicitFlow, c.id, "The implicit flow is allowed.")
	}
	switch {
	case !slices.Contains(c.AllowedOAuthFlows, types.OAuthFlowTypeCode):
		r.add(CodeFlowMissing, c.id, "The code flow is not allowed.")
	case !aws.ToBool(c.AllowedOAuthFlowsUserPoolClient):
		r.add(CodeFlowMissing, c.id, "OAuth is switched off for the client.")
	}
	if c.native() {
		return
	}
	for _, flow := range c.ExplicitAuthFlows {
		if byPassword(flow) {
			r.add(PasswordFlow, c.id, fmt.Sprintf("%s is allowed, and COGNITO is not among its providers.", flow))
			return
		}
	}
}

// byPassword reports whether anybody can sign in by the flow with what a person
// has. Those of ADMIN need AWS credentials.
func byPassword(flow types.ExplicitAuthFlowsType) bool {
	switch flow {
	case types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowUserSrpAuth,
		types.ExplicitAuthFlowsTypeAllowUserAuth, types.ExplicitAuthFlowsTypeAllowCustomAuth,
		types.ExplicitAuthFlowsTypeUserPasswordAuth, types.ExplicitAuthFlowsTypeCustomAuthFlowOnly:
		return true
	}
	return false
}

func (r *run) checkScopes(c client) {
	has := func(scope string) bool { return slices.Contains(c.AllowedOAuthScopes, scope) }
	switch {
	case !has("openid"):
		r.add(OpenIDMissing, c.id, "The scope openid is not allowed.")
	case !has("profile") && (has("email") || has("phone")):
		r.add(ProfileMissing, c.id, "Its scopes are "+strings.Join(c.AllowedOAuthScopes, " ")+".")
	}
	if has("aws.cognito.signin.user.admin") {
		r.add(AdminScope, c.id, "The scope aws.cognito.signin.user.admin is allowed.")
	}
}

func (r *run) checkSecrecy(c client) {
	rotates := c.RefreshTokenRotation != nil && c.RefreshTokenRotation.Feature == types.FeatureTypeEnabled
	if !c.hasSecret {
		r.add(PublicClient, c.id, "It has no secret.")
	}
	if !c.hasSecret && !rotates {
		r.add(PublicNoRotation, c.id, "It has no secret, and its refresh tokens do not rotate.")
	}
	if rotates && aws.ToInt32(c.RefreshTokenRotation.RetryGracePeriodSeconds) == 0 {
		r.add(RotationNoGrace, c.id, "Its refresh tokens rotate with a grace period of 0.")
	}
	if c.PreventUserExistenceErrors != types.PreventUserExistenceErrorTypesEnabled {
		r.add(UserExistence, c.id, "Prevention of user existence errors is not ENABLED.")
	}
	if !aws.ToBool(c.EnableTokenRevocation) {
		r.add(RevocationOff, c.id, "Token revocation is off.")
	}
}

func (r *run) checkLifetimes(c client) {
	units := c.TokenValidityUnits
	if units == nil {
		units = &types.TokenValidityUnitsType{}
	}
	access := lifetime(aws.ToInt32(c.AccessTokenValidity), units.AccessToken, time.Hour, time.Hour)
	id := lifetime(aws.ToInt32(c.IdTokenValidity), units.IdToken, time.Hour, time.Hour)
	refresh := lifetime(c.RefreshTokenValidity, units.RefreshToken, day, 30*day)
	if longest := max(access, id); longest > tokenMost {
		r.add(AccessTokenLong, c.id, fmt.Sprintf("Access or ID tokens live for %s.", people(longest)))
	}
	if refresh > refreshMost && !c.machine() { // a machine gets none
		r.add(RefreshTokenLong, c.id, fmt.Sprintf("Refresh tokens live for %s.", people(refresh)))
	}
}

// lifetime is n of a unit; 0 is AWS's default, and "" its unit.
func lifetime(n int32, unit types.TimeUnitsType, usual, none time.Duration) time.Duration {
	if n == 0 {
		return none
	}
	of := map[types.TimeUnitsType]time.Duration{
		types.TimeUnitsTypeSeconds: time.Second, types.TimeUnitsTypeMinutes: time.Minute,
		types.TimeUnitsTypeHours: time.Hour, types.TimeUnitsTypeDays: day,
	}[unit]
	if of == 0 {
		of = usual
	}
	return time.Duration(n) * of
}

// people writes a time as people say it.
func people(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
}
