package middleware_test

import "testing"

// inCookies is in the name of a test whose apps keep their sessions in cookies:
// see newApp.
const inCookies = "in_cookies"

// TestSessionsInCookies runs what is true of every session once more, with
// sessions in cookies. What is only true of one of the two is in
// session_test.go and cookiesession_test.go.
func TestSessionsInCookies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		test func(*testing.T)
	}{
		{"sign in", TestSignIn},
		{"callback", TestAttackCallback},
		{"login CSRF", TestAttackLoginCSRF},
		{"two tabs", TestTwoTabs},
		{"many tabs", TestManyTabs},
		{"late tab", TestLateTab},
		{"callback errors", TestCallbackErrors},
		{"refused by a trigger", TestRefusedByTrigger},
		{"token endpoint errors", TestTokenEndpointErrors},
		{"loop guard", TestLoopGuard},
		{"cookies blocked", TestCookiesBlocked},
		{"silent", TestSilent},
		{"silent first", TestSilentFirst},
		{"silent outcomes", TestSilentOutcomes},
		{"second app", TestSecondApp},
		{"online", TestOnlineBitesBeforeExpiry},
		{"online outage", TestOnlineOutage},
		{"online near expiry", TestOnlineNearExpiry},
		{"providers", TestProviders},
		{"refused sign-in", TestRefusedSignInLeavesNoRefreshToken},
		{"code during key outage", TestCodeIsKeptDuringKeyOutage},
		{"login request", TestLoginRequest},
		{"return to", TestAttackReturnTo},
		{"sign out", TestSignOut},
		{"logout CSRF", TestAttackLogoutCSRF},
		{"sign-out is never blocked", TestSignOutIsNeverBlocked},
		{"sign-out of scripts", TestSignOutOfScripts},
		{"logout form", TestAttackLogoutForm},
		{"idle and absolute limits", TestIdleAndAbsoluteLimits},
		{"limits are in the record", TestLimitsAreInTheRecord},
		{"refresh", TestRefresh},
		{"access token ends first", TestAccessTokenEndsFirst},
		{"outage", TestOutageSignsNobodyOut},
		{"hanging refresh", TestHangingRefresh},
		{"removed key", TestRemovedKey},
		{"keys down", TestKeysDown},
		{"key rotation", TestKeyRotationOfCookies},
		{"rights", TestRightsOfSessions},
		{"around bearer", TestLoginAroundBearer},
		{"fresh", TestFreshSession},
		{"me", TestMe},
		{"browser or script", TestBrowserOrScript},
		{"page headers", TestPageHeaders},
		{"protected pages", TestProtectedPagesAreNotStored},
		{"header spoofing", TestAttackHeaderSpoofing},
		{"request target", TestAttackRequestTarget},
	} {
		t.Run(inCookies+"/"+row.name, row.test)
	}
}
