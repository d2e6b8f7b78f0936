package lambda

import (
	"slices"
	"strings"
)

// checkEmail is the rule of Config.AllowedEmailDomains at a sign-up. Of an
// external provider's user the flag email_verified counts: Cognito maps it from
// what the provider says. Of a native user it does not: all attributes of a
// native sign-up are what the person typed or sent, and the code that proves
// the address is sent afterwards.
func (t *Triggers) checkEmail(e *event, native bool) error {
	if len(t.cfg.AllowedEmailDomains) == 0 {
		return nil
	}
	verified := !native && e.attribute("email_verified") == "true"
	if !verified && !t.cfg.AllowUnverifiedEmailDomain {
		return ErrEmailDomain // fail closed: an unverified address proves nothing
	}
	domain, ok := emailDomain(e.attribute("email"))
	if !ok || !slices.ContainsFunc(t.cfg.AllowedEmailDomains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return ErrEmailDomain
	}
	return nil
}

// emailDomain is the domain of an address of the plain form name@domain. All
// other forms that RFC 5322 knows are refused: two readers of
// "a@ours"@theirs or a@theirs(@ours) may see two domains.
//
// A domain in Unicode is refused too. It has several spellings (and several
// that look alike), and nothing here maps them; mail itself goes to the
// ASCII form. So equality of bytes, but for case, is all that decides.
func emailDomain(address string) (domain string, ok bool) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || strings.ContainsFunc(local, notInLocalPart) {
		return "", false
	}
	return domain, isDomain(domain)
}

// notInLocalPart: blanks, controls, and what quotes, comments, lists and
// routes are made of.
func notInLocalPart(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r)
}

// isDomain reports whether s is a domain name of two labels or more, in ASCII:
// letters, digits and inner hyphens (RFC 1123), without a dot at its end.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	return len(s) <= 253 && len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool { return !isLabel(l) })
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}
