package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestMain(m *testing.M) { os.Exit(secretscan.Main(m)) }

// A misconfiguration, and what it must be found as: that, and nothing else.
type misconfiguration struct {
	name string
	pool func(*ssotest.Config)
	ask  func(*doctor.Config)
	want []doctor.ID
}

func ids(all ...doctor.ID) []doctor.ID { return all }

func attribute(name string, change func(object)) func(*ssotest.Config) {
	return on("DescribeUserPool", func(answer object) {
		for _, a := range in(answer, "UserPool")["SchemaAttributes"].([]any) {
			if a.(object)["Name"] == name {
				change(a.(object))
			}
		}
	})
}

func ofPool(change func(object)) func(*ssotest.Config) {
	return on("DescribeUserPool", func(answer object) { change(in(answer, "UserPool")) })
}

func ofClient(change func(object)) func(*ssotest.Config) {
	return on("DescribeUserPoolClient", func(answer object) { change(in(answer, "UserPoolClient")) })
}

// ofProvider changes a provider as the API shows it.
func ofProvider(name string, change func(details, mapping object)) func(*ssotest.Config) {
	return on("DescribeIdentityProvider", func(answer object) {
		if p := in(answer, "IdentityProvider"); p["ProviderName"] == name {
			change(in(p, "ProviderDetails"), in(p, "AttributeMapping"))
		}
	})
}

func ofFunction(change func(object)) func(*ssotest.Config) {
	return on("GetFunctionConfiguration", func(answer object) {
		if answer["FunctionName"] == "PostConfirmation" {
			change(answer)
		}
	})
}

// permission replaces the statement of one function's policy.
func permission(statements string) func(*ssotest.Config) {
	return on("GetPolicy", func(answer object) {
		if strings.Contains(answer["Policy"].(string), "function:PostConfirmation") {
			answer["Policy"] = `{"Version":"2012-10-17","Statement":` + statements + `}`
		}
	})
}

const (
	toCognito = `"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"lambda:InvokeFunction"`
	thisPool  = `"ArnLike":{"AWS:SourceArn":"arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Doctor"}`
	thisOne   = `"StringEquals":{"AWS:SourceAccount":"000000000000"}`
)

func fault(operation, kind string) func(*world) {
	return func(w *world) {
		w.pool.SetFaults(func(f *ssotest.Faults) { f.APIError = map[string]string{operation: kind} })
	}
}

var seeded = []misconfiguration{
	{name: "nothing"},
	{name: "nothing, and the app's address", ask: func(c *doctor.Config) {
		c.BaseURLs, c.ClientIDs, c.Providers = map[string]string{"board": base}, []string{"board"}, []string{"Kakao", "Google"}
	}},

	// The pool.
	{name: "Lite, and the claim in access tokens", pool: func(c *ssotest.Config) { c.Tier = "LITE" }, want: ids(doctor.PlanTooLow)},
	{name: "Lite, and no V2", pool: func(c *ssotest.Config) { c.Tier, c.Triggers = "LITE", triggers("V1_0") }, want: ids(doctor.PlanTooLow)},
	{name: "Lite, V2 and ID tokens only", pool: func(c *ssotest.Config) { c.Tier = "LITE" }, ask: func(c *doctor.Config) { c.IDTokenOnly = true }, want: ids(doctor.PlanTooLow)},
	{name: "Lite as it should be", pool: func(c *ssotest.Config) { c.Tier, c.Triggers = "LITE", triggers("V1_0") }, ask: func(c *doctor.Config) { c.IDTokenOnly = true }},
	{name: "Plus", pool: func(c *ssotest.Config) { c.Tier = "PLUS" }},
	{name: "deletion", pool: func(c *ssotest.Config) { c.DeletionProtection = false }, want: ids(doctor.DeletionUnguarded)},
	{name: "sign-up", pool: func(c *ssotest.Config) { c.AdminCreateUserOnly = false }, want: ids(doctor.SignUpOpen)},
	{name: "usernames that people type", pool: client(func(c *ssotest.Client) {
		c.SupportedIdentityProviders = append(c.SupportedIdentityProviders, "COGNITO")
	}), want: ids(doctor.CaseSensitiveNames)},
	{name: "usernames of any case", pool: func(c *ssotest.Config) {
		c.Clients[0].SupportedIdentityProviders = []string{"Kakao", "Google", "COGNITO"}
		c.AdminCreateUserOnly = false
		ofPool(func(p object) { p["UsernameConfiguration"] = object{"CaseSensitive": false} })(c)
	}},
	{name: "email as alias", pool: ofPool(func(p object) { p["AliasAttributes"] = []string{"preferred_username", "email"} }), want: ids(doctor.EmailAlias)},
	{name: "email as username", pool: ofPool(func(p object) { p["UsernameAttributes"] = []string{"email"} }), want: ids(doctor.EmailAlias)},
	{name: "email required", pool: attribute("email", func(a object) { a["Required"] = true }), want: ids(doctor.RequiredAttribute)},

	// The attribute.
	{name: "no attribute", pool: ofPool(func(p object) {
		p["SchemaAttributes"] = []object{{"Name": "email", "Mutable": true}, {"Name": "email_verified", "Mutable": true}, {"Name": "name", "Mutable": true}}
	}), want: ids(doctor.AttributeMissing)},
	{name: "another attribute is wanted", ask: func(c *doctor.Config) { c.UserIDAttribute = "custom:rowId" }, want: ids(doctor.AttributeMissing)},
	{name: "immutable", pool: func(c *ssotest.Config) { c.CustomAttributes = []ssotest.CustomAttribute{{Name: "userId"}} }, want: ids(doctor.AttributeImmutable)},
	{name: "a number", pool: attribute("custom:userId", func(a object) { a["AttributeDataType"] = "Number" }), want: ids(doctor.AttributeType)},
	{name: "too short for a 64-bit integer", pool: func(c *ssotest.Config) {
		c.CustomAttributes = []ssotest.CustomAttribute{{Name: "userId", Mutable: true, MaxLen: 10}}
	}, want: ids(doctor.AttributeLength)},
	{name: "too short for a UUID", pool: func(c *ssotest.Config) {
		c.CustomAttributes = []ssotest.CustomAttribute{{Name: "userId", Mutable: true, MaxLen: 35}}
	}, ask: func(c *doctor.Config) { c.IDLength = 36 }, want: ids(doctor.AttributeLength)},
	{name: "just long enough", pool: func(c *ssotest.Config) {
		c.CustomAttributes = []ssotest.CustomAttribute{{Name: "userId", Mutable: true, MaxLen: 20}}
	}},
	{name: "too long for the id 1", pool: attribute("custom:userId", func(a object) { in(a, "StringAttributeConstraints")["MinLength"] = "2" }), want: ids(doctor.AttributeLength)},
	{name: "not readable", pool: client(func(c *ssotest.Client) { c.ReadAttributes = []string{"email"} }), want: ids(doctor.AttributeUnreadable)},
	{name: "reads what AWS thinks", pool: client(func(c *ssotest.Client) { c.ReadAttributes = nil }), want: ids(doctor.ReadUnset)},
	{name: "writable", pool: client(func(c *ssotest.Client) { c.WriteAttributes = append(c.WriteAttributes, "custom:userId") }), want: ids(doctor.AttributeWritable)},
	{name: "writes what AWS thinks", pool: client(func(c *ssotest.Client) { c.WriteAttributes = nil }), want: ids(doctor.WriteUnset)},
	{name: "writable by another client", pool: func(c *ssotest.Config) {
		other := goodClient("desk")
		other.WriteAttributes = append(other.WriteAttributes, "custom:userId")
		c.Clients = append(c.Clients, other)
	}, want: ids(doctor.AttributeWritable)},
	{name: "writable by a machine", pool: func(c *ssotest.Config) {
		c.Clients = append(c.Clients, machine())
		c.Clients[1].WriteAttributes = []string{"custom:userId"}
		c.ResourceServers = map[string][]string{"api": {"read"}}
	}, want: ids(doctor.AttributeWritable)},
	{name: "a machine", pool: func(c *ssotest.Config) {
		c.Clients = append(c.Clients, machine())
		c.ResourceServers = map[string][]string{"api": {"read"}}
	}},
	{name: "mapped", pool: ofProvider("Google", func(_, mapping object) { mapping["custom:userId"] = "sub" }), want: ids(doctor.AttributeMapped)},

	// Triggers.
	{name: "no PreSignUp", pool: func(c *ssotest.Config) { c.Triggers.PreSignUp = nil }, want: ids(doctor.TriggerMissing)},
	{name: "no PostConfirmation", pool: func(c *ssotest.Config) { c.Triggers.PostConfirmation = nil }, want: ids(doctor.TriggerMissing)},
	{name: "no PostAuthentication", pool: func(c *ssotest.Config) { c.Triggers.PostAuthentication = nil }, want: ids(doctor.TriggerMissing)},
	{name: "no PreTokenGeneration", pool: func(c *ssotest.Config) { c.Triggers.PreTokenGeneration = nil }, want: ids(doctor.TriggerMissing)},
	{name: "all wiped", pool: ofPool(func(p object) { p["LambdaConfig"] = object{} }), want: ids(doctor.TriggerMissing, doctor.TriggerMissing, doctor.TriggerMissing, doctor.TriggerMissing)},
	{name: "V1", pool: func(c *ssotest.Config) { c.Tier, c.Triggers = "ESSENTIALS", triggers("V1_0") }, want: ids(doctor.TokenVersion)},
	{name: "V1 by the older setting", pool: ofPool(func(p object) { delete(in(p, "LambdaConfig"), "PreTokenGenerationConfig") }), want: ids(doctor.TokenVersion)},
	{name: "V1 and ID tokens only", pool: func(c *ssotest.Config) { c.Tier, c.Triggers = "ESSENTIALS", triggers("V1_0") }, ask: func(c *doctor.Config) { c.IDTokenOnly = true }},
	{name: "V3", pool: func(c *ssotest.Config) { c.Triggers = triggers("V3_0") }},
	{name: "no function", pool: ofPool(func(p object) {
		in(p, "LambdaConfig")["PreSignUp"] = "arn:aws:lambda:ap-northeast-2:000000000000:function:gone"
	}), want: ids(doctor.FunctionMissing)},
	{name: "idle", pool: ofFunction(func(f object) { f["State"] = "Inactive" }), want: ids(doctor.FunctionNotReady)},
	{name: "failed", pool: ofFunction(func(f object) { f["State"] = "Failed" }), want: ids(doctor.FunctionNotReady)},
	{name: "failed update", pool: ofFunction(func(f object) { f["LastUpdateStatus"] = "Failed" }), want: ids(doctor.FunctionNotReady)},
	{name: "5 s", pool: ofFunction(func(f object) { f["Timeout"] = 5 }), want: ids(doctor.FunctionTimeout)},
	{name: "128 MB", pool: ofFunction(func(f object) { f["MemorySize"] = 128 }), want: ids(doctor.FunctionMemory)},
	{name: "256 MB", pool: ofFunction(func(f object) { f["MemorySize"] = 256 })},
	{name: "no permission", pool: permission(`[]`), want: ids(doctor.PermissionMissing)},
	{name: "permission of another pool", pool: permission(`[{` + toCognito + `,"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Other"},` + thisOne + `}}]`), want: ids(doctor.PermissionMissing)},
	{name: "permission of another account", pool: permission(`[{` + toCognito + `,"Condition":{` + thisPool + `,"StringEquals":{"AWS:SourceAccount":"111122223333"}}}]`), want: ids(doctor.PermissionMissing)},
	{name: "permission of another service", pool: permission(`[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction"}]`), want: ids(doctor.PermissionMissing)},
	{name: "permission to read only", pool: permission(`[{"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"lambda:GetFunction"}]`), want: ids(doctor.PermissionMissing)},
	{name: "a policy that is none", pool: on("GetPolicy", func(a object) {
		if strings.Contains(a["Policy"].(string), "function:PostConfirmation") {
			a["Policy"] = "<html>"
		}
	}), want: ids(doctor.PermissionMissing)},
	{name: "any pool", pool: permission(`{` + toCognito + `}`), want: ids(doctor.PermissionWide)},
	{name: "any pool of the account", pool: permission(`[{` + toCognito + `,"Condition":{` + thisOne + `}}]`), want: ids(doctor.PermissionWide)},
	{name: "a pattern of pools", pool: permission(`[{` + toCognito + `,"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:cognito-idp:*:000000000000:userpool/*"},` + thisOne + `}}]`), want: ids(doctor.PermissionWide)},
	{name: "a condition that holds without the key", pool: permission(`[{` + toCognito + `,"Condition":{"ArnLikeIfExists":{"AWS:SourceArn":"arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Doctor"}}}]`), want: ids(doctor.PermissionWide)},
	{name: "all pools but this", pool: permission(`[{` + toCognito + `,"Condition":{"ArnNotLike":{"AWS:SourceArn":"arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Doctor"}}}]`), want: ids(doctor.PermissionWide)},
	{name: "anybody", pool: permission(`[{"Effect":"Allow","Principal":"*","Action":"lambda:*"}]`), want: ids(doctor.PermissionWide)},
	{name: "anybody, beside the right one", pool: permission(`[{` + toCognito + `,"Condition":{` + thisPool + `,` + thisOne + `}},{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"lambda:InvokeFunction"}]`), want: ids(doctor.PermissionWide)},
	{name: "no account", pool: permission(`[{` + toCognito + `,"Condition":{` + thisPool + `}}]`), want: ids(doctor.PermissionNoAccount)},
	{name: "conditions spelt otherwise", pool: permission(`{` + toCognito + `,"Condition":{"StringEquals":{"aws:SourceArn":["arn:aws:cognito-idp:ap-northeast-2:000000000000:userpool/ap-northeast-2_Doctor"],"aws:SourceAccount":"000000000000"}}}`)},
	{name: "functions that nobody is to look at", pool: permission(`[]`), ask: func(c *doctor.Config) { c.Lambda = nil }},

	// Identity providers.
	{name: "a provider that is wanted", ask: func(c *doctor.Config) { c.Providers = []string{"Kakao", "google"} }, want: ids(doctor.ProviderMissing)},
	{name: "a provider that nobody offers", pool: client(func(c *ssotest.Client) { c.SupportedIdentityProviders = []string{"Kakao"} }), want: ids(doctor.ProviderUnused)},
	{name: "Kakao without openid", pool: ofProvider("Kakao", func(d, _ object) { d["authorize_scopes"] = "account_email profile_nickname" }), want: ids(doctor.ProviderScopes)},
	{name: "Kakao with commas", pool: ofProvider("Kakao", func(d, _ object) { d["authorize_scopes"] = "openid,account_email" }), want: ids(doctor.ProviderScopes)},
	{name: "Google without openid", pool: ofProvider("Google", func(d, _ object) { d["authorize_scopes"] = "email profile" }), want: ids(doctor.ProviderScopes)},
	{name: "Kakao's issuer with a slash", pool: ofProvider("Kakao", func(d, _ object) { d["oidc_issuer"] = "https://kauth.kakao.com/" }), want: ids(doctor.KakaoIssuer)},
	{name: "Kakao's other host", pool: ofProvider("Kakao", func(d, _ object) { d["oidc_issuer"] = "https://kapi.kakao.com" }), want: ids(doctor.KakaoIssuer)},
	{name: "Kakao by POST", pool: ofProvider("Kakao", func(d, _ object) { d["attributes_request_method"] = "POST" }), want: ids(doctor.KakaoMethod)},
	{name: "Kakao of the wrong type", pool: on("DescribeIdentityProvider", func(a object) {
		if p := in(a, "IdentityProvider"); p["ProviderName"] == "Kakao" {
			p["ProviderType"] = "SAML"
		}
	}), want: ids(doctor.KakaoType)},
	{name: "Kakao under another name", pool: func(c *ssotest.Config) {
		c.Providers = []ssotest.Provider{
			{Name: "Talk", Type: "OIDC", AttributeMapping: map[string]string{"username": "sub"}, Details: map[string]string{
				"authorize_scopes": "openid", "attributes_request_method": "POST", "oidc_issuer": "https://kauth.kakao.com"}}, ssotest.Google(),
		}
		c.Clients[0].SupportedIdentityProviders = []string{"Talk", "Google"}
	}, want: ids(doctor.KakaoMethod)},
	{name: "Kakao's verified email", pool: ofProvider("Kakao", func(_, m object) { m["email_verified"] = "email_verified" }), want: ids(doctor.KakaoVerified)},
	{name: "Google's unverified email", pool: ofProvider("Google", func(_, m object) { delete(m, "email_verified") }), want: ids(doctor.GoogleVerified)},
	{name: "Google without email", pool: ofProvider("Google", func(_, m object) { delete(m, "email"); delete(m, "email_verified") })},
	{name: "the email as username", pool: ofProvider("Google", func(_, m object) { m["username"] = "email" }), want: ids(doctor.UsernameMapping)},
	{name: "a number as username", pool: ofProvider("Kakao", func(_, m object) { m["username"] = "id" }), want: ids(doctor.UsernameMapping)},
	{name: "no username", pool: ofProvider("Kakao", func(_, m object) { delete(m, "username") })},
	{name: "a claim in capitals", pool: ofProvider("Kakao", func(_, m object) { m["email"] = "EMAIL" }), want: ids(doctor.ClaimCase)},
	{name: "an attribute that is not there", pool: ofProvider("Kakao", func(_, m object) { m["custom:kakaoId"] = "sub" }), want: ids(doctor.MappedMissing)},
	{name: "an attribute that is immutable", pool: attribute("name", func(a object) { a["Mutable"] = false }), want: ids(doctor.MappedImmutable, doctor.MappedImmutable)},
	{name: "an attribute that the client may not write", pool: ofProvider("Kakao", func(_, m object) { m["picture"] = "picture" }), want: ids(doctor.MappedNotWritable)},
	{name: "one that is of no provider of the client's", pool: func(c *ssotest.Config) {
		other := goodClient("desk")
		c.Clients = append(c.Clients, other)
		c.Clients[0].SupportedIdentityProviders = []string{"Kakao"}
		c.Clients[0].WriteAttributes = []string{"email", "name"}
		c.Clients[1].WriteAttributes = []string{"email", "name", "picture"}
		ofProvider("Google", func(_, m object) { m["picture"] = "picture" })(c)
	}},

	// Clients.
	{name: "no such client", ask: func(c *doctor.Config) { c.ClientIDs = []string{"board", "gone"} }, want: ids(doctor.ClientMissing)},
	{name: "no provider", pool: func(c *ssotest.Config) {
		c.Clients = append(c.Clients, goodClient("desk"))
		on("DescribeUserPoolClient", func(a object) {
			if p := in(a, "UserPoolClient"); p["ClientId"] == "desk" {
				p["SupportedIdentityProviders"] = []string{}
			}
		})(c)
	}, want: ids(doctor.ClientNoProvider)},
	{name: "implicit", pool: client(func(c *ssotest.Client) { c.AllowedOAuthFlows = []string{"code", "implicit"} }), want: ids(doctor.ImplicitFlow)},
	{name: "no flow", pool: ofClient(func(c object) { c["AllowedOAuthFlows"] = []string{} }), want: ids(doctor.CodeFlowMissing)},
	{name: "OAuth off", pool: ofClient(func(c object) { c["AllowedOAuthFlowsUserPoolClient"] = false }), want: ids(doctor.CodeFlowMissing)},
	{name: "no openid", pool: client(func(c *ssotest.Client) { c.AllowedOAuthScopes = []string{"email", "profile"} }), want: ids(doctor.OpenIDMissing)},
	{name: "openid and email", pool: client(func(c *ssotest.Client) { c.AllowedOAuthScopes = []string{"openid", "email"} }), want: ids(doctor.ProfileMissing)},
	{name: "openid alone", pool: client(func(c *ssotest.Client) { c.AllowedOAuthScopes = []string{"openid"} })},
	{name: "the admin scope", pool: client(func(c *ssotest.Client) {
		c.AllowedOAuthScopes = append(c.AllowedOAuthScopes, "aws.cognito.signin.user.admin")
	}), want: ids(doctor.AdminScope)},
	{name: "passwords", pool: client(func(c *ssotest.Client) { c.ExplicitAuthFlows = append(c.ExplicitAuthFlows, "ALLOW_USER_PASSWORD_AUTH") }), want: ids(doctor.PasswordFlow)},
	{name: "passwords by SRP", pool: client(func(c *ssotest.Client) { c.ExplicitAuthFlows = append(c.ExplicitAuthFlows, "ALLOW_USER_SRP_AUTH") }), want: ids(doctor.PasswordFlow)},
	{name: "passwords by an administrator", pool: client(func(c *ssotest.Client) {
		c.ExplicitAuthFlows = append(c.ExplicitAuthFlows, "ALLOW_ADMIN_USER_PASSWORD_AUTH")
	})},
	{name: "no secret, no rotation", pool: client(func(c *ssotest.Client) { c.ClientSecret = "" }), want: ids(doctor.PublicClient, doctor.PublicNoRotation)},
	{name: "no secret", pool: client(func(c *ssotest.Client) {
		c.ClientSecret, c.ExplicitAuthFlows, c.RefreshTokenRotation, c.RetryGracePeriod = "", []string{}, true, 30*time.Second
	}), want: ids(doctor.PublicClient)},
	{name: "rotation without grace", pool: client(func(c *ssotest.Client) { c.ExplicitAuthFlows, c.RefreshTokenRotation = []string{}, true }), want: ids(doctor.RotationNoGrace)},
	{name: "who has an account", pool: client(func(c *ssotest.Client) { c.PreventUserExistenceErrors = false }), want: ids(doctor.UserExistence)},
	{name: "no revocation", pool: client(func(c *ssotest.Client) { c.DisableTokenRevocation = true }), want: ids(doctor.RevocationOff)},
	{name: "access tokens of a day", pool: client(func(c *ssotest.Client) { c.AccessTokenValidity = 24 * time.Hour }), want: ids(doctor.AccessTokenLong)},
	{name: "ID tokens of 61 minutes", pool: client(func(c *ssotest.Client) { c.IDTokenValidity = 61 * time.Minute }), want: ids(doctor.AccessTokenLong)},
	{name: "access tokens of a day, in hours", pool: ofClient(func(c object) {
		c["AccessTokenValidity"] = 24
		delete(c, "TokenValidityUnits")
		c["IdTokenValidity"], c["RefreshTokenValidity"] = 1, 30
	}), want: ids(doctor.AccessTokenLong)},
	{name: "refresh tokens of a year", pool: client(func(c *ssotest.Client) { c.RefreshTokenValidity = 365 * 24 * time.Hour }), want: ids(doctor.RefreshTokenLong)},
	{name: "AWS's own lifetimes", pool: ofClient(func(c object) {
		for _, name := range []string{"TokenValidityUnits", "AccessTokenValidity", "IdTokenValidity", "RefreshTokenValidity"} {
			delete(c, name)
		}
	})},

	// URLs.
	{name: "no callback", pool: client(func(c *ssotest.Client) { c.CallbackURLs = nil }), want: ids(doctor.URLMissing)},
	{name: "no logout", pool: client(func(c *ssotest.Client) { c.LogoutURLs = nil }), want: ids(doctor.URLMissing)},
	{name: "http", pool: callbacks("http://board.example.ac.kr/auth/callback"), want: ids(doctor.URLInsecure)},
	{name: "wildcard", pool: callbacks("https://*.example.ac.kr/auth/callback"), want: ids(doctor.URLWildcard)},
	{name: "wildcard in the path", pool: callbacks(base + "/*"), want: ids(doctor.URLWildcard)},
	{name: "fragment", pool: callbacks(base + "/auth/callback#x"), want: ids(doctor.URLMalformed)},
	{name: "dots", pool: callbacks(base + "/auth/../callback"), want: ids(doctor.URLMalformed)},
	{name: "a user", pool: callbacks("https://board.example.ac.kr@evil.example/auth/callback"), want: ids(doctor.URLMalformed)},
	{name: "no host", pool: callbacks("https:///auth/callback"), want: ids(doctor.URLMalformed)},
	{name: "an app's own scheme", pool: callbacks("kr.ac.example.board://callback")},
	{name: "localhost", pool: callbacks(base+"/auth/callback", "http://localhost:8080/auth/callback"), want: ids(doctor.URLLocalhost)},
	{name: "127.0.0.1 as logout", pool: client(func(c *ssotest.Client) { c.LogoutURLs = append(c.LogoutURLs, "http://127.0.0.1:8080/") }), want: ids(doctor.URLLocalhost)},
	{name: "somebody else's", pool: callbacks(base+"/auth/callback", "https://other.example/auth/callback"), ask: at(base), want: ids(doctor.URLForeign)},
	{name: "a host that begins alike", pool: callbacks(base+"/auth/callback", base+".evil.example/auth/callback"), ask: at(base), want: ids(doctor.URLForeign)},
	{name: "somebody else's only", pool: callbacks("https://other.example/auth/callback"), ask: at(base), want: ids(doctor.URLForeign, doctor.URLMissing)},
	{name: "below a path", ask: at(base + "/auth")},
	{name: "above a path", ask: at(base + "/a"), want: ids(doctor.URLForeign, doctor.URLMissing, doctor.URLForeign, doctor.URLMissing)},
	{name: "an app on this machine", pool: client(func(c *ssotest.Client) {
		c.CallbackURLs, c.LogoutURLs = []string{"http://localhost:9401/auth/callback"}, []string{"http://localhost:9401/"}
	}), ask: at("http://localhost:9401")},

	// The domain.
	{name: "no domain", pool: ofPool(func(p object) { delete(p, "Domain") }), want: ids(doctor.DomainMissing)},
	{name: "a domain of nobody", pool: on("DescribeUserPoolDomain", func(a object) { a["DomainDescription"] = object{} }), want: ids(doctor.DomainMissing)},
	{name: "a domain to be", pool: on("DescribeUserPoolDomain", func(a object) { in(a, "DomainDescription")["Status"] = "CREATING" }), want: ids(doctor.DomainNotActive)},

	// Issuer.
	{name: "the updated issuer", pool: ofPool(func(p object) { p["IssuerConfiguration"] = object{"Type": "UPDATED"} }), want: ids(doctor.IssuerUpdated)},
	{name: "another issuer", ask: func(c *doctor.Config) { c.Issuers = nil }, want: ids(doctor.IssuerOther)},
	{name: "AWS's issuer", pool: func(c *ssotest.Config) { c.Issuer = ssotest.IssuerOriginal }, ask: func(c *doctor.Config) { c.Issuers = nil }},
	{name: "AWS's other issuer", pool: func(c *ssotest.Config) { c.Issuer = ssotest.IssuerUpdated }, ask: func(c *doctor.Config) { c.Issuers = nil }, want: ids(doctor.IssuerUpdated)},
	{name: "no keys there", ask: func(c *doctor.Config) {
		c.JWKSURL = strings.Replace(c.JWKSURL, "_Doctor/", "_Other/", 1)
	}, want: ids(doctor.KeysUnreachable, doctor.DiscoveryBroken)},
	{name: "nobody there", ask: func(c *doctor.Config) { c.JWKSURL = "http://127.0.0.1:1/.well-known/jwks.json" }, want: ids(doctor.KeysUnreachable, doctor.DiscoveryBroken)},
}

func machine() ssotest.Client {
	return ssotest.Client{ClientID: "robot", ClientSecret: "verysecretrobot", AllowedOAuthFlows: []string{"client_credentials"}, ExplicitAuthFlows: []string{}, SupportedIdentityProviders: []string{}}
}

func callbacks(urls ...string) func(*ssotest.Config) {
	return ofClient(func(c object) { c["CallbackURLs"] = urls })
}

func at(address string) func(*doctor.Config) {
	return func(c *doctor.Config) { c.BaseURLs = map[string]string{"board": address} }
}

func TestMisconfigurations(t *testing.T) {
	t.Parallel()
	for _, row := range seeded {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, row.pool)
			if row.ask != nil {
				row.ask(&w.cfg)
			}
			want(t, w.run(t), row.want...)
		})
	}
}

// unanswered are errors of AWS's, and faults of the pool's keys.
var unanswered = []struct {
	name  string
	fault func(*ssotest.Faults)
	want  []doctor.ID
	named string                // the operation that was not answered
	pool  func(*ssotest.Config) // nil for the good one
}{
	{"no branding", func(f *ssotest.Faults) {
		f.APIError = map[string]string{"DescribeManagedLoginBrandingByClient": "ResourceNotFoundException"}
	}, ids(doctor.BrandingMissing), "", nil},
	{"a function without a policy", func(f *ssotest.Faults) {
		f.APIError = map[string]string{"GetPolicy": "ResourceNotFoundException"}
	}, ids(doctor.PermissionMissing, doctor.PermissionMissing, doctor.PermissionMissing, doctor.PermissionMissing), "", nil},
	{"keys of HTML", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSHTML }, ids(doctor.KeysUnusable), "", nil},
	{"no keys", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSEmpty }, ids(doctor.KeysUnusable), "", nil},
	{"half of the keys", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSTruncated }, ids(doctor.KeysUnusable), "", nil},
	{"keys are down", func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSDown }, ids(doctor.KeysUnreachable), "", nil},
	{"clients may not be listed", denied("ListUserPoolClients"), ids(doctor.NotAsked), "ListUserPoolClients", nil},
	{
		"nor may be said that nobody signs in by a password", denied("ListUserPoolClients"), ids(doctor.NotAsked), "ListUserPoolClients",
		func(c *ssotest.Config) { c.AdminCreateUserOnly = false },
	},
	{"a client may not be seen", denied("DescribeUserPoolClient"), ids(doctor.NotAsked), "DescribeUserPoolClient", nil},
	{"providers may not be listed", denied("ListIdentityProviders"), ids(doctor.NotAsked), "ListIdentityProviders", nil},
	{"providers may not be seen", denied("DescribeIdentityProvider"), ids(doctor.NotAsked, doctor.NotAsked), "DescribeIdentityProvider", nil},
	{"the domain may not be seen", denied("DescribeUserPoolDomain"), ids(doctor.NotAsked), "DescribeUserPoolDomain", nil},
	{"brandings may not be seen", denied("DescribeManagedLoginBrandingByClient"), ids(doctor.NotAsked), "DescribeManagedLoginBrandingByClient", nil},
	{"functions may not be seen", denied("GetFunctionConfiguration"), ids(doctor.NotAsked, doctor.NotAsked, doctor.NotAsked, doctor.NotAsked), "GetFunctionConfiguration", nil},
	{"policies may not be seen", denied("GetPolicy"), ids(doctor.NotAsked, doctor.NotAsked, doctor.NotAsked, doctor.NotAsked), "GetPolicy", nil},
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, row := range unanswered {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, row.pool)
			w.pool.SetFaults(row.fault)
			w.cfg.Providers = []string{"Kakao"} // that it is there must not be denied for want of an answer
			report := w.run(t)
			want(t, report, row.want...)
			for _, f := range report.Findings {
				if f.ID == doctor.NotAsked && (f.Severity != doctor.Unknown || f.Found != row.named+": AccessDeniedException.") {
					t.Errorf("%+v", f)
				}
			}
			if report.Clean() {
				t.Error("clean")
			}
		})
	}
}

func denied(operation string) func(*ssotest.Faults) {
	return func(f *ssotest.Faults) { f.APIError = map[string]string{operation: "AccessDeniedException"} }
}

// Without the pool there is no report.
func TestNoPool(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ResourceNotFoundException", "AccessDeniedException", "InternalErrorException"} {
		w := newWorld(t)
		fault("DescribeUserPool", kind)(w)
		_, err := doctor.Run(t.Context(), w.cfg)
		if !errors.Is(err, doctor.ErrPool) || !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.cfg.OnProgress = func(p doctor.Progress) {
		if p.Done == 2 {
			cancel()
		}
	}
	if _, err := doctor.Run(ctx, w.cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// A key set that is not answered at all, and a discovery document that is none.
func TestOddDocuments(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer string
		want   []doctor.ID
	}{
		"not JSON":    {"<html>", ids(doctor.KeysUnusable, doctor.DiscoveryBroken)},
		"no issuer":   {`{"keys":[]}`, ids(doctor.KeysUnusable, doctor.DiscoveryBroken)},
		"evil issuer": {`{"issuer":"https://evil.example/?verysecret"}`, ids(doctor.KeysUnusable, doctor.IssuerOther)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(row.answer)) }))
			defer s.Close()
			w := newWorld(t)
			w.cfg.JWKSURL = s.URL + "/.well-known/jwks.json"
			want(t, w.run(t), row.want...)
		})
	}
	// Nothing is fetched by way of another address.
	s := httptest.NewServer(http.RedirectHandler(newWorld(t).pool.JWKSURL(), http.StatusFound))
	defer s.Close()
	w := newWorld(t)
	w.cfg.JWKSURL = s.URL + "/.well-known/jwks.json"
	want(t, w.run(t), doctor.KeysUnreachable, doctor.DiscoveryBroken)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*doctor.Config){
		"UserPoolID":      func(c *doctor.Config) { c.UserPoolID = "pool" },
		"Cognito":         func(c *doctor.Config) { c.Cognito = nil },
		"SQS":             func(c *doctor.Config) { c.QueueURL = "https://sqs.example/q" },
		"UserIDAttribute": func(c *doctor.Config) { c.UserIDAttribute = "userId" },
		"IDLength":        func(c *doctor.Config) { c.IDLength = -1 },
		"BacklogLimit":    func(c *doctor.Config) { c.BacklogLimit = -1 },
		"BaseURLs":        at("http://board.example"),
		"BaseURLs: client": func(c *doctor.Config) {
			c.ClientIDs, c.BaseURLs = []string{"desk"}, map[string]string{"board": base}
		},
		"JWKSURL":         func(c *doctor.Config) { c.InsecureAllowHTTP = false },
		"Database":        func(c *doctor.Config) { c.Database = &doctor.Database{} },
		"Database.Sample": func(c *doctor.Config) { c.Database = &doctor.Database{Sample: -1} },
	} {
		cfg := w.cfg
		change(&cfg)
		if _, err := doctor.Run(t.Context(), cfg); !errors.Is(err, doctor.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The report is for programs too: names and order are its interface.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *ssotest.Config) {
		c.DeletionProtection = false
		c.Clients[0].CallbackURLs = append(c.Clients[0].CallbackURLs, "http://localhost:1/")
		c.Clients[0].WriteAttributes = append(c.Clients[0].WriteAttributes, "custom:userId")
	})
	last := doctor.Progress{}
	w.cfg.OnProgress = func(p doctor.Progress) {
		if p.Done < last.Done || p.Total < last.Total || p.Done > p.Total {
			t.Errorf("progress from %+v to %+v", last, p)
		}
		last = p
	}
	report := w.run(t)
	if last.Done != last.Total || last.Done < 14 {
		t.Errorf("progress ended at %+v", last)
	}
	if report.Count(doctor.Error) != 1 || report.Count(doctor.Warning) != 1 || report.Count(doctor.Notice) != 1 || report.Clean() ||
		report.Clients != 1 || report.Providers != 2 || report.Functions != 4 || report.Plan != "ESSENTIALS" {
		t.Errorf("%+v", report)
	}
	if report.NotLookedAt[doctor.Queue] == "" || report.NotLookedAt[doctor.Table] == "" || len(report.NotLookedAt) != 2 {
		t.Errorf("not looked at: %v", report.NotLookedAt)
	}
	text, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(text), `{"findings":[{"id":"deletion_unguarded","subject":"pool","severity":"warning","found":`) ||
		!strings.Contains(string(text), `"id":"attribute_writable","subject":"user id attribute","severity":"error","target":"board"`) || strings.Contains(string(text), "verysecret") {
		t.Errorf("%v: %s", err, text)
	}
}
