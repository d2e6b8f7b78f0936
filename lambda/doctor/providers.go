package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

const kakaoHost = "kauth.kakao.com"

func (r *run) checkProviders(context.Context) {
	for _, name := range r.Providers {
		if r.allProviders && !slices.ContainsFunc(r.providers, func(p *types.IdentityProviderType) bool { return aws.ToString(p.ProviderName) == name }) {
			r.add(ProviderMissing, name, "The pool has no provider of this name.")
		}
	}
	for _, p := range r.providers {
		r.checkProvider(p)
	}
}

func (r *run) checkProvider(p *types.IdentityProviderType) {
	name := aws.ToString(p.ProviderName)
	if len(r.clients) > 0 && !slices.ContainsFunc(r.clients, func(c client) bool { return slices.Contains(c.SupportedIdentityProviders, name) }) {
		r.add(ProviderUnused, name, "No client offers it.")
	}
	oidc, google := p.ProviderType == types.IdentityProviderTypeTypeOidc, p.ProviderType == types.IdentityProviderTypeTypeGoogle
	if scopes := p.ProviderDetails["authorize_scopes"]; (oidc || google) && !slices.Contains(strings.Fields(scopes), "openid") {
		r.add(ProviderScopes, name, fmt.Sprintf("Its scopes are %q.", scopes))
	}
	if isKakao(p) {
		r.checkKakao(p)
	}
	if google && p.AttributeMapping["email_verified"] != "email_verified" && p.AttributeMapping["email"] != "" {
		r.add(GoogleVerified, name, "The email is mapped, and email_verified is not.")
	}
	if claim, ok := p.AttributeMapping["username"]; ok && claim != "sub" && (oidc || google) {
		r.add(UsernameMapping, name, fmt.Sprintf("The username is mapped to the claim %q.", claim))
	}
	r.checkMapping(p)
}

// isKakao goes by the name, and by the host of the issuer for who chose another.
func isKakao(p *types.IdentityProviderType) bool {
	return strings.HasPrefix(strings.ToLower(aws.ToString(p.ProviderName)), "kakao") || strings.Contains(p.ProviderDetails["oidc_issuer"], kakaoHost)
}

func (r *run) checkKakao(p *types.IdentityProviderType) {
	name := aws.ToString(p.ProviderName)
	if p.ProviderType != types.IdentityProviderTypeTypeOidc {
		r.add(KakaoType, name, fmt.Sprintf("It is of type %s.", p.ProviderType))
		return // the details below are those of OIDC
	}
	if issuer := p.ProviderDetails["oidc_issuer"]; issuer != "https://"+kakaoHost {
		r.add(KakaoIssuer, name, fmt.Sprintf("Its issuer is %q.", issuer))
	}
	if method := p.ProviderDetails["attributes_request_method"]; method != "GET" {
		r.add(KakaoMethod, name, fmt.Sprintf("Its attributes request method is %q.", method))
	}
	if _, ok := p.AttributeMapping["email_verified"]; ok {
		r.add(KakaoVerified, name, "email_verified is mapped.")
	}
}

// claims are those that Kakao and Google have, by which a wrong case is known.
var claims = []string{
	"sub", "email", "email_verified", "name", "nickname", "picture", "given_name", "family_name", "profile", "locale", "gender", "birthdate", "phone_number",
}

// checkMapping looks at what a provider writes into the pool.
func (r *run) checkMapping(p *types.IdentityProviderType) {
	name := aws.ToString(p.ProviderName)
	for _, attribute := range slices.Sorted(maps.Keys(p.AttributeMapping)) {
		claim := p.AttributeMapping[attribute]
		if lower := strings.ToLower(claim); attribute != "username" && lower != claim && slices.Contains(claims, lower) {
			r.add(ClaimCase, name, fmt.Sprintf("%s is mapped to the claim %q; the provider's is %q.", attribute, claim, lower))
		}
		if attribute == "username" || attribute == r.UserIDAttribute { // that one is attribute_mapped
			continue
		}
		a, ok := r.schema(attribute)
		switch {
		case !ok:
			r.add(MappedMissing, name, fmt.Sprintf("%s is mapped, and the pool has no such attribute.", attribute))
			continue
		case !aws.ToBool(a.Mutable):
			r.add(MappedImmutable, name, fmt.Sprintf("%s is mapped, and is immutable.", attribute))
			continue
		}
		r.checkMappedWritable(name, attribute)
	}
}

// checkMappedWritable leaves out the flags of verification: no client may be
// given those.
func (r *run) checkMappedWritable(provider, attribute string) {
	if attribute == "email_verified" || attribute == "phone_number_verified" {
		return
	}
	for _, c := range r.clients {
		if len(c.WriteAttributes) > 0 && slices.Contains(c.SupportedIdentityProviders, provider) && !slices.Contains(c.WriteAttributes, attribute) {
			r.add(MappedNotWritable, c.id, fmt.Sprintf("%s maps %s, which the client may not write.", provider, attribute))
		}
	}
}
