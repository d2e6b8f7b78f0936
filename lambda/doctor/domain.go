package doctor

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func (r *run) checkDomain(ctx context.Context) {
	d := r.domain
	switch {
	case d == nil:
		return
	case aws.ToString(d.Domain) == "":
		r.add(DomainMissing, "", "The pool has no domain.", fmt.Sprintf(
			"aws cognito-idp create-user-pool-domain --region %s --user-pool-id %s --domain YOUR-PREFIX", r.region(), r.UserPoolID))
		return
	case d.Status != types.DomainStatusTypeActive:
		r.add(DomainNotActive, *d.Domain, fmt.Sprintf("Its status is %s.", d.Status))
	}
	if aws.ToInt32(d.ManagedLoginVersion) < 2 {
		return // the classic page needs no branding
	}
	r.more(len(r.clients))
	for _, c := range r.clients {
		if !c.machine() {
			r.checkBranding(ctx, c)
		}
	}
}

func (r *run) checkBranding(ctx context.Context, c client) {
	r.doing("DescribeManagedLoginBrandingByClient")
	_, err := r.Cognito.DescribeManagedLoginBrandingByClient(ctx,
		&cognitoidentityprovider.DescribeManagedLoginBrandingByClientInput{UserPoolId: &r.UserPoolID, ClientId: &c.id})
	if err != nil && notFound(err) {
		r.add(BrandingMissing, c.id, "It has no branding.", fmt.Sprintf(
			"aws cognito-idp create-managed-login-branding --region %s --user-pool-id %s --client-id %s --use-cognito-provided-values", r.region(), r.UserPoolID, c.id))
		return
	}
	r.answered(Domain, "DescribeManagedLoginBrandingByClient", c.id, err)
}
