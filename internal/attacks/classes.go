package main

import (
	"slices"
	"strings"
)

// A class of attacks, and the tests that hold its rows.
type class struct {
	name string
	// floor is how many rows there must be at least, so that nobody loses some
	// unseen. Raise it with the rows.
	floor int
	// tests are "folder.Test", such as "middleware.TestAttackReplay".
	tests []string
}

// packages are where the tests of classes are.
var packages = []string{"./sso", "./sso/ssootel", "./middleware"}

var classes = []class{
	{"login CSRF", 55, []string{"middleware.TestAttackLoginCSRF", "middleware.TestAttackLoginCSRFRows"}},
	{"code injection", 39, []string{"middleware.TestAttackCodeInjection", "sso.TestExchangeForeignCode"}},
	{"state, nonce and PKCE", 140, []string{
		"middleware.TestAttackCallback", "middleware.TestAttackAuthorizationRequest",
		"sso.TestExchangeCallback", "sso.TestExchangeFlowWithoutTime",
	}},
	{"mix-up", 175, []string{"middleware.TestAttackMixUp", "middleware.TestAttackTwoApps", "middleware.TestAttackCookieSessionOfAnotherPool", "sso.TestExchangeAnswer"}},
	{"open redirect", 275, []string{"middleware.TestAttackReturnTo", "middleware.TestAttackOpenRedirect", "middleware.TestAttackRequestTarget", "middleware.TestAttackReturnOrigins"}},
	{"cookie tossing", 120, []string{"middleware.TestAttackCookieTossing", "middleware.TestAttackTossedCookies", "middleware.TestAttackCookieSession"}},
	{"session fixation", 25, []string{"middleware.TestAttackFixation", "middleware.TestAttackFixationRows"}},
	{"replay", 18, []string{"middleware.TestAttackReplay", "sso.TestExchangeReplayed"}},
	{"revival", 45, []string{"middleware.TestAttackRevival", "middleware.TestAttackRevivalRows", "middleware.TestAttackCookieSessionRevival", "middleware.TestAttackEndedCookie"}},
	{"refresh races", 30, []string{"middleware.TestAttackRefresh", "middleware.TestAttackRefreshRace", "middleware.TestAttackCookieRefreshRace"}},
	{"logout CSRF", 84, []string{"middleware.TestAttackLogoutCSRF", "middleware.TestAttackLogoutForm", "middleware.TestAttackLogoutCSRFRows"}},
	{"header spoofing", 75, []string{"middleware.TestAttackHeaderSpoofing", "middleware.TestAttackSpoofedIdentity", "middleware.TestAttackInsecureHost"}},
	{"response splitting", 114, []string{"middleware.TestAttackResponseSplitting"}},
	{"oversized input", 46, []string{"middleware.TestAttackOversized"}},

	{"bearer tokens in requests", 100, []string{"middleware.TestAttackAuthorizationHeader", "middleware.TestAttackCookie", "middleware.TestAttackHeader"}},
	{"token verification", 860, []string{"sso.TestVerifyAccessTable", "sso.TestVerifyIDTable", "sso.TestAttackExposeExpired", "sso/ssootel.TestAttackLabels"}},
}

// classOf returns the index of the class of a test, or -1.
func classOf(test string) int {
	return slices.IndexFunc(classes, func(c class) bool { return slices.Contains(c.tests, test) })
}

// pattern is what -run is given to run the tests of every class.
func pattern() string {
	var names []string
	for _, c := range classes {
		for _, test := range c.tests {
			names = append(names, test[strings.LastIndexByte(test, '.')+1:])
		}
	}
	slices.Sort(names)
	// All TestAttack… too, so that one that is not listed is seen.
	return "^(TestAttack.*|" + strings.Join(slices.Compact(names), "|") + ")$"
}
