package ssotest

import (
	"net/mail"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// numericIDs reports whether the provider's ids are numbers, as Kakao's app user ids are. In the wild it is registered as
// Kakao, KakaoOIDC, KakaotalkOIDC.
func (p Provider) numericIDs() bool { return strings.HasPrefix(strings.ToLower(p.Name), "kakao") }

// defaultDetails are the details of a provider whose configuration does not say.
func (p Provider) defaultDetails() map[string]string {
	switch {
	case p.Type == "OIDC" && p.numericIDs():
		return map[string]string{
			"client_id": "ssotest", "authorize_scopes": "openid", "attributes_request_method": "GET", "oidc_issuer": "https://kauth.kakao.com",
		}
	case p.Type == "OIDC":
		return map[string]string{"client_id": "ssotest", "authorize_scopes": "openid email profile", "attributes_request_method": "GET"}
	}
	return map[string]string{"client_id": "ssotest", "authorize_scopes": "openid email profile"}
}

// verifiesEmail reports whether the provider says if an email is verified.
func (p Provider) verifiesEmail() bool { return p.AttributeMapping["email_verified"] != "" }

// supports reports whether users of a provider, or nativeProvider, may sign in to the client.
func (c Client) supports(provider string) bool {
	for _, name := range c.SupportedIdentityProviders {
		if name == provider {
			return true
		}
	}
	return false
}

const (
	maxUsername  = 128  // of the pool: <Provider>_<id>
	maxAttribute = 2048 // of a mapped attribute
)

// checkPerson says what is wrong with what somebody typed on the provider's page, by field.
func (p Provider) checkPerson(who Person) map[string]string {
	problems := map[string]string{}
	switch limit := maxUsername - len(p.Name) - 1; {
	case who.Subject == "":
		problems["subject"] = "Enter an id: it is what tells this person from others."
	case p.numericIDs() && !isPositiveInteger(who.Subject):
		problems["subject"] = p.Name + " ids are whole numbers from 1 to 9223372036854775807, without leading zeros, such as 3141592653."
	case strings.ContainsFunc(who.Subject, func(r rune) bool { return r <= ' ' || r > '~' }):
		problems["subject"] = "Use letters, digits and signs of ASCII only, and no spaces."
	case len(who.Subject) > limit:
		problems["subject"] = "Use at most " + strconv.Itoa(limit) + " characters."
	}
	if !isLine(who.Name) {
		problems["name"] = "Use one line of at most " + strconv.Itoa(maxAttribute) + " bytes."
	}
	if who.Email != "" && !isEmail(who.Email) {
		problems["email"] = "Enter an address such as hong@example.com, or leave it empty."
	}
	return problems
}

func isPositiveInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}

func isLine(s string) bool {
	return len(s) <= maxAttribute && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && isLine(s)
}
