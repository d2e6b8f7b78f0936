package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func (r *run) checkPool(context.Context) {
	r.checkPlan()
	if r.pool.DeletionProtection != types.DeletionProtectionTypeActive {
		r.add(DeletionUnguarded, "", "Deletion protection is off.")
	}
	native, known := slices.ContainsFunc(r.clients, client.native), len(r.clients) > 0
	if c := r.pool.AdminCreateUserConfig; known && !native && (c == nil || !c.AllowAdminCreateUserOnly) {
		r.add(SignUpOpen, "", "Users may sign themselves up.")
	}
	// A federated username comes from the provider, and nobody types it.
	if c := r.pool.UsernameConfiguration; native && (c == nil || aws.ToBool(c.CaseSensitive)) {
		r.add(CaseSensitiveNames, "", "Usernames are case-sensitive, and a client has COGNITO among its providers.")
	}
	if slices.Contains(r.pool.AliasAttributes, types.AliasAttributeTypeEmail) || slices.Contains(r.pool.UsernameAttributes, types.UsernameAttributeTypeEmail) {
		r.add(EmailAlias, "", "People may sign in with an email instead of a username.")
	}
	for _, a := range r.pool.SchemaAttributes {
		if name := aws.ToString(a.Name); aws.ToBool(a.Required) && name != "sub" {
			r.add(RequiredAttribute, name, fmt.Sprintf("The attribute %s is required.", name))
		}
	}
}

// checkPlan compares the plan with the claims that are wanted. A plan that AWS
// does not name is that of an old pool, of which nothing is known.
func (r *run) checkPlan() {
	if r.pool.UserPoolTier != types.UserPoolTierTypeLite {
		return
	}
	switch version := r.tokenVersion(); {
	case version != "" && version != types.PreTokenGenerationLambdaVersionTypeV10:
		r.add(PlanTooLow, "", "The plan is Lite, and the token trigger has version "+string(version)+".")
	case !r.IDTokenOnly:
		r.add(PlanTooLow, "", "The plan is Lite, and the claim is wanted in access tokens.")
	}
}

// schema returns an attribute of the pool.
func (r *run) schema(name string) (types.SchemaAttributeType, bool) {
	i := slices.IndexFunc(r.pool.SchemaAttributes, func(a types.SchemaAttributeType) bool { return aws.ToString(a.Name) == name })
	if i < 0 {
		return types.SchemaAttributeType{}, false
	}
	return r.pool.SchemaAttributes[i], true
}

// account is the one in the pool's ARN.
func (r *run) account() string {
	if parts := strings.Split(aws.ToString(r.pool.Arn), ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}
