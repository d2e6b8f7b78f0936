package middleware

import (
	"net/http"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// Provider is an identity provider that people may pick themselves.
type Provider struct {
	// Name is what the user pool calls it, such as "Kakao"; upper and lower
	// case matter. It must be among ClientConfig.IdentityProviders. Required.
	Name string
	// English and Korean are the texts of its button. Default to "Continue
	// with" and the name, and to "(으)로 계속하기" after it.
	English, Korean string
}

// ProviderLink is a button that signs in through one identity provider.
type ProviderLink struct {
	// Name is Provider.Name, to pick a logo by; Label is the button's text.
	Name, Label string
	// URL is a path of this app, for a link: GET.
	URL string
}

// ProviderLinks returns the buttons of LoginConfig.Providers, in their order and
// the language of r, for a page of the app's own. They lead to the identity
// provider without a page of Cognito's, and back to returnTo, a path of this
// app that is checked when they are followed. In a template:
//
//	{{range .}}<a href="{{.URL}}">{{.Label}}</a>{{end}}
func (l *Login) ProviderLinks(r *http.Request, returnTo string) []ProviderLink {
	return l.providerLinks(languageOf(r), returnTo)
}

// providerLinks adds more parameters in pairs, as loginURL does.
func (l *Login) providerLinks(lang language, returnTo string, more ...string) []ProviderLink {
	links := make([]ProviderLink, len(l.providers))
	for i, p := range l.providers {
		query := append([]string{"identity_provider", p.Name}, more...)
		links[i] = ProviderLink{Name: p.Name, Label: p.label(lang), URL: l.loginURL(returnTo, query...)}
	}
	return links
}

// koreanNames are what Korean pages call providers.
var koreanNames = map[string]string{"Kakao": "카카오로", "Naver": "네이버로", "Google": "Google로"}

func (p *Provider) label(lang language) string {
	switch {
	case lang == korean && p.Korean != "":
		return p.Korean
	case lang == korean && koreanNames[p.Name] != "":
		return koreanNames[p.Name] + " 계속하기"
	case lang == korean:
		return p.Name + "(으)로 계속하기"
	case p.English != "":
		return p.English
	}
	return "Continue with " + p.Name
}

// checkProviders refuses buttons that could not work.
func checkProviders(c *sso.Client, providers []Provider) error {
	for i, p := range providers {
		_, _, err := c.AuthCodeURL(sso.AuthOptions{IdentityProvider: p.Name})
		if p.Name == "" || err != nil && c.RedirectURL() != "" {
			return &sso.ConfigError{Field: "LoginConfig.Providers", Problem: "must be among ClientConfig.IdentityProviders, in the same case"}
		}
		if slices.ContainsFunc(providers[:i], func(o Provider) bool { return o.Name == p.Name }) {
			return &sso.ConfigError{Field: "LoginConfig.Providers", Problem: "must not name a provider twice"}
		}
	}
	return nil
}
