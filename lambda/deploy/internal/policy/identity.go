package policy

import (
	"net/url"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

const userID = "custom:userId"

// userIDAttribute: the pool has it, and it can be written after sign-up.
func userIDAttribute(s *subject) (out []string) {
	schema, _ := s.pool().Properties["Schema"].([]any)
	for _, item := range schema {
		if a := object(item); a["Name"] == "userId" {
			if a["Mutable"] != true || a["AttributeDataType"] != "String" {
				return []string{"custom:userId is no mutable string"}
			}
			return nil
		}
	}
	return []string{"the pool has no custom:userId"}
}

// noRequired: who declines to share an attribute could never sign in.
func noRequired(s *subject) (out []string) {
	var say said
	schema, _ := s.pool().Properties["Schema"].([]any)
	for _, item := range schema {
		if a := object(item); a["Required"] == true {
			say.f("%v is required", a["Name"])
		}
	}
	return say
}

func (s *subject) clients() []*template.Resource { return s.Of("AWS::Cognito::UserPoolClient") }

// writeAttributes: what one client may write is in the tokens of all.
func writeAttributes(s *subject) []string {
	var say said
	for _, c := range s.clients() {
		write, ok := c.Properties["WriteAttributes"]
		if !ok {
			say.f("%s has no list of what it may write, and AWS's own may have custom attributes", c.Path())
		}
		if slices.Contains(list(write), userID) {
			say.f("%s may write %s: people could change their own id", c.Path(), userID)
		}
	}
	return say
}

// readAttributes: what a client may not read is in no token of it.
func readAttributes(s *subject) []string {
	var say said
	for _, c := range s.clients() {
		if !slices.Contains(list(c.Properties["ReadAttributes"]), userID) {
			say.f("%s may not read %s", c.Path(), userID)
		}
	}
	return say
}

// verified are attributes that no client can be given to write.
var verified = []string{"email_verified", "phone_number_verified"}

// mappedWritable: Cognito refuses the sign-in of somebody whose mapped
// attributes the client may not write.
func mappedWritable(s *subject) []string {
	var say said
	for _, p := range s.Of("AWS::Cognito::UserPoolIdentityProvider") {
		for attribute := range object(p.Properties["AttributeMapping"]) {
			for _, c := range s.clients() {
				uses := slices.Contains(list(c.Properties["SupportedIdentityProviders"]), text(p.Properties["ProviderName"]))
				if uses && !slices.Contains(verified, attribute) && attribute != "username" && !slices.Contains(list(c.Properties["WriteAttributes"]), attribute) {
					say.f("%s may not write %s, which %s maps", c.Path(), attribute, p.LogicalID)
				}
			}
		}
	}
	for _, c := range s.clients() {
		for _, a := range verified {
			if slices.Contains(list(c.Properties["WriteAttributes"]), a) {
				say.f("%s may write %s, which Cognito refuses", c.Path(), a)
			}
		}
	}
	return say
}

// only is the one flow of the API that a client has, by whether its refresh
// tokens rotate: Cognito refuses the first one beside rotation, and the other one
// takes rights in the account.
var only = map[bool]string{false: "ALLOW_REFRESH_TOKEN_AUTH", true: "ALLOW_ADMIN_USER_PASSWORD_AUTH"}

// clientFlows: the code flow and nothing else, to exact addresses.
func clientFlows(s *subject) []string {
	var say said
	for _, c := range s.clients() {
		p := c.Properties
		if !slices.Equal(list(p["AllowedOAuthFlows"]), []string{"code"}) || p["AllowedOAuthFlowsUserPoolClient"] != true {
			say.f("%s has other flows than code", c.Path())
		}
		rotates := object(p["RefreshTokenRotation"])["Feature"] == "ENABLED"
		if !rotates && p["GenerateSecret"] != true {
			say.f("%s has no secret, and its refresh tokens do not rotate", c.Path())
		}
		if flow := only[rotates]; !slices.Equal(list(p["ExplicitAuthFlows"]), []string{flow}) {
			say.f("%s has other flows than %s", c.Path(), flow)
		}
		if slices.Contains(list(p["AllowedOAuthScopes"]), "aws.cognito.signin.user.admin") {
			say.f("%s has a scope by which a token changes attributes", c.Path())
		}
		if p["EnableTokenRevocation"] != true || p["PreventUserExistenceErrors"] != "ENABLED" {
			say.f("%s: tokens cannot be revoked, or errors tell who is there", c.Path())
		}
		for _, u := range append(list(p["CallbackURLs"]), list(p["LogoutURLs"])...) {
			if !exact(u) {
				say.f("%s: %q is no exact address of HTTPS or localhost", c.Path(), u)
			}
		}
	}
	if len(s.clients()) == 0 {
		say.f("no client")
	}
	return say
}

func exact(address string) bool {
	u, err := url.Parse(address)
	local := err == nil && u.Scheme == "http" && u.Hostname() == "localhost"
	return err == nil && (u.Scheme == "https" || local) && u.Host != "" && u.Fragment == "" && !strings.Contains(address, "*")
}

// loginPage: it renders for every client. Version 2 needs a branding for each;
// Lite has version 1 only, which takes none.
func loginPage(s *subject) []string {
	var say said
	// By stack, too: the id that stands for a client is the same in each.
	branded := map[[2]string]bool{}
	for _, b := range s.Of("AWS::Cognito::ManagedLoginBranding") {
		branded[[2]string{b.Stack, text(b.Properties["ClientId"])}] = true
	}
	domains := s.Of("AWS::Cognito::UserPoolDomain")
	if len(domains) != 1 {
		say.f("%d domains", len(domains))
	}
	for _, d := range domains {
		if want := map[bool]int{true: 1, false: 2}[s.lite()]; number(d.Properties["ManagedLoginVersion"]) != want {
			say.f("%s is not of version %d", d.Path(), want)
		}
	}
	for _, c := range s.clients() {
		if has := branded[[2]string{c.Stack, c.ID}]; has == s.lite() {
			say.f("%s: branding is %v with plan Lite %v", c.Path(), has, s.lite())
		}
	}
	return say
}

// plan: the version of the token trigger is the best that the plan has.
func plan(s *subject) []string {
	var say said
	p := s.pool().Properties
	version := text(object(object(p["LambdaConfig"])["PreTokenGenerationConfig"])["LambdaVersion"])
	if want := map[bool]string{true: "V1_0", false: "V2_0"}[s.lite()]; version != want {
		say.f("the token trigger is %q with plan %v, not %s", version, p["UserPoolTier"], want)
	}
	if text(p["UserPoolTier"]) != text(s.Main().Parameters["FeaturePlan"]) {
		say.f("the pool's plan is %v", p["UserPoolTier"])
	}
	return say
}

// triggers: all four, and all to sso-trigger.
func triggers(s *subject) []string {
	var say said
	arn := text(s.Main().Nested["Functions"].Outputs["TriggerArn"])
	config := object(s.pool().Properties["LambdaConfig"])
	got := map[string]string{"PreTokenGeneration": text(object(config["PreTokenGenerationConfig"])["LambdaArn"])}
	for _, name := range []string{"PreSignUp", "PostConfirmation", "PostAuthentication"} {
		got[name] = text(config[name])
	}
	for name, is := range got {
		if is != arn {
			say.f("%s calls %q", name, is)
		}
	}
	return say
}

// providers: what Cognito asks of Kakao, and what Google says of an address.
// Their names are in SSO_PROVIDERS: sso-trigger refuses who comes by another.
func providers(s *subject) []string {
	var say said
	names := []string{}
	for _, p := range s.Of("AWS::Cognito::UserPoolIdentityProvider") {
		details, mapping := object(p.Properties["ProviderDetails"]), object(p.Properties["AttributeMapping"])
		names = append(names, text(p.Properties["ProviderName"]))
		scopes := strings.Fields(text(details["authorize_scopes"]))
		switch p.Properties["ProviderType"] {
		case "OIDC":
			issuer := text(details["oidc_issuer"])
			if !slices.Contains(scopes, "openid") || details["attributes_request_method"] != "GET" || !exact(issuer) || strings.HasSuffix(issuer, "/") {
				say.f("%s: scopes, method or issuer", p.Path())
			}
		case "Google":
			if mapping["email_verified"] != "email_verified" || !slices.Contains(scopes, "email") {
				say.f("%s does not say whether an address is verified", p.Path())
			}
		}
	}
	slices.Sort(names)
	for _, f := range s.functions() {
		env := object(object(f.Properties["Environment"])["Variables"])
		accepted := slices.Sorted(strings.SplitSeq(text(env["SSO_PROVIDERS"]), ","))
		if s.program(f) == "trigger" && !slices.Equal(accepted, names) {
			say.f("the pool has %v, and sso-trigger accepts %v", names, accepted)
		}
	}
	return say
}
