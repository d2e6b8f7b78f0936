package ssotest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// functions is AWS's client of the Lambda API, at the pool.
func functions(p *ssotest.Pool) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "ap-northeast-2", BaseEndpoint: aws.String(p.URL()), RetryMaxAttempts: 1, HTTPClient: awshttp.NewClient(),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

func TestAPIDomain(t *testing.T) {
	t.Parallel()
	for tier, version := range map[string]int32{ssotest.TierLite: 1, ssotest.TierEssentials: 2, ssotest.TierPlus: 2, "": 1} {
		p := ssotest.NewPool(t, ssotest.Config{Tier: tier})
		pool, err := sdk(p).DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String(p.ID())})
		if err != nil {
			t.Fatal(err)
		}
		out, err := sdk(p).DescribeUserPoolDomain(t.Context(), &cip.DescribeUserPoolDomainInput{Domain: pool.UserPool.Domain})
		if err != nil {
			t.Fatal(err)
		}
		if d := out.DomainDescription; *d.UserPoolId != p.ID() || d.Status != types.DomainStatusTypeActive || *d.ManagedLoginVersion != version {
			t.Errorf("%s: %+v", tier, d)
		}
		out, err = sdk(p).DescribeUserPoolDomain(t.Context(), &cip.DescribeUserPoolDomainInput{Domain: aws.String("nobodys")})
		if err != nil || out.DomainDescription.Domain != nil || out.DomainDescription.Status != "" {
			t.Errorf("nobody's: %v, %+v", err, out)
		}
	}
}

func TestAPIBranding(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	branding := func(id string) (*cip.DescribeManagedLoginBrandingByClientOutput, error) {
		return sdk(p).DescribeManagedLoginBrandingByClient(t.Context(), &cip.DescribeManagedLoginBrandingByClientInput{UserPoolId: aws.String(p.ID()), ClientId: &id})
	}
	if out, err := branding(ssotest.DefaultClientID); err != nil || !out.ManagedLoginBranding.UseCognitoProvidedValues || *out.ManagedLoginBranding.UserPoolId != p.ID() {
		t.Errorf("%v, %+v", err, out)
	}
	_, err := branding("gone")
	wantCode(t, "no client", err, "ResourceNotFoundException", "")
}

func TestAPIPoolSettings(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		p := ssotest.NewPool(t, ssotest.Config{DeletionProtection: on, AdminCreateUserOnly: on, Tier: ssotest.TierPlus})
		out, err := sdk(p).DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String(p.ID())})
		if err != nil {
			t.Fatal(err)
		}
		u := out.UserPool
		if (u.DeletionProtection == types.DeletionProtectionTypeActive) != on || u.AdminCreateUserConfig.AllowAdminCreateUserOnly != on || u.UserPoolTier != types.UserPoolTierTypePlus {
			t.Errorf("%v: %+v", on, u)
		}
		_, err = sdk(p).SignUp(t.Context(), &cip.SignUpInput{ClientId: aws.String(ssotest.DefaultClientID), Username: aws.String("u"), Password: aws.String("Passw0rd!")})
		if on {
			wantCode(t, "sign-up", err, "NotAuthorizedException", "SignUp is not permitted for this user pool")
		} else if err != nil {
			t.Errorf("sign-up: %v", err)
		}
		_, err = sdk(p).AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(p.ID()), Username: aws.String("by-admin")})
		if err != nil {
			t.Errorf("by an administrator: %v", err)
		}
	}
}

// Details are what is right for each kind of provider, or what the
// configuration says.
func TestAPIProviderDetails(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{Providers: []ssotest.Provider{
		ssotest.Kakao(), ssotest.Google(), {Name: "Naver", Type: "OIDC", Details: map[string]string{"authorize_scopes": "name"}},
	}})
	for name, want := range map[string]string{
		"Kakao": "openid GET https://kauth.kakao.com", "Google": "openid email profile  ", "Naver": "name  ",
	} {
		out, err := sdk(p).DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: aws.String(p.ID()), ProviderName: &name})
		if err != nil {
			t.Fatal(err)
		}
		d := out.IdentityProvider.ProviderDetails
		if got := d["authorize_scopes"] + " " + d["attributes_request_method"] + " " + d["oidc_issuer"]; got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Only triggers are functions, by name or by ARN, and the pool may call them.
func TestLambdaAPI(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{Triggers: ssotest.Triggers{PreSignUp: ssotest.TriggerFunc(nil)}})
	c := functions(p)
	for _, name := range []string{"PreSignUp", "arn:aws:lambda:ap-northeast-2:000000000000:function:PreSignUp"} {
		out, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if err != nil || *out.FunctionName != "PreSignUp" || !strings.HasSuffix(*out.FunctionArn, "000000000000:function:PreSignUp") || *out.Timeout != 4 || out.State != "Active" {
			t.Errorf("%s: %v, %+v", name, err, out)
		}
		policy, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &name})
		if err != nil || !strings.Contains(*policy.Policy, ":userpool/"+p.ID()) || !strings.Contains(*policy.Policy, `"Service":"cognito-idp.amazonaws.com"`) {
			t.Errorf("%s: %v, %+v", name, err, policy)
		}
	}
	for _, name := range []string{"PostConfirmation", "SignUp", "arn:aws:lambda:ap-northeast-2:111122223333:function:PreSignUp"} {
		_, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		wantCode(t, name, err, "ResourceNotFoundException", "The fake pool does not have this")
		_, err = c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &name})
		wantCode(t, name, err, "ResourceNotFoundException", "The fake pool does not have this")
	}
	if out, err := c.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{}); err != nil || len(out.EventSourceMappings) != 0 {
		t.Errorf("mappings: %v, %+v", err, out)
	}
	_, err := c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	wantCode(t, "another operation", err, "ResourceNotFoundException", "The fake pool does not have this")
	p.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{"GetPolicy": "AccessDeniedException"} })
	_, err = c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("PreSignUp")})
	wantCode(t, "denied", err, "AccessDeniedException", "The fake pool does not have this")

	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, p.URL()+"/2015-03-31/functions/PreSignUp/policy", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %s", res.Status)
	}
}

// The hook sees what shows configuration, and no users; what it changes is
// shown, and changes nothing else.
func TestOnDescribe(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	p := ssotest.NewPool(t, ssotest.Config{
		Triggers: ssotest.All(ssotest.TriggerFunc(nil)),
		OnDescribe: func(operation string, answer map[string]any) {
			seen[operation]++
			if operation == "DescribeUserPoolClient" {
				answer["UserPoolClient"].(map[string]any)["CallbackURLs"] = []string{"https://changed.example/"}
			}
		},
	})
	id, ctx := aws.String(p.ID()), t.Context()
	out, err := sdk(p).DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: id, ClientId: aws.String(ssotest.DefaultClientID)})
	if err != nil || len(out.UserPoolClient.CallbackURLs) != 1 || out.UserPoolClient.CallbackURLs[0] != "https://changed.example/" {
		t.Errorf("%v, %+v", err, out)
	}
	if got := p.ClientConfig(ssotest.DefaultClientID).RedirectURL; got != "http://localhost:8080/auth/callback" {
		t.Errorf("the client itself was changed: %s", got)
	}
	_, err = functions(p).GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: aws.String("PreSignUp")})
	_, err2 := sdk(p).ListUsers(ctx, &cip.ListUsersInput{UserPoolId: id})
	_, err3 := sdk(p).ListGroups(ctx, &cip.ListGroupsInput{UserPoolId: id})
	if err != nil || err2 != nil || err3 != nil || len(seen) != 2 || seen["GetPolicy"] != 1 || seen["DescribeUserPoolClient"] != 1 {
		t.Errorf("%v %v %v: seen %v", err, err2, err3, seen)
	}
}
