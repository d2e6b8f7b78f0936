package ssotest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

func TestPickPerson(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	page := v.open(authorizeURL("web", webCallback, "identity_provider", "Kakao"))
	if page.status != http.StatusOK || !strings.Contains(page.body, "홍길동") || strings.Contains(page.body, "<b>이몽룡") {
		t.Fatalf("page: %d %s", page.status, page.body)
	}
	back := v.submit(page, url.Values{"person": {"1"}})
	got := v.redeem(back.query(t).Get("code"))
	if id := payload(t, got.field("id_token")); id["cognito:username"] != "Kakao_2718281828" {
		t.Errorf("id token: %v", id)
	}
}

func TestStandInChecksWhatIsTyped(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	for i, test := range []struct {
		name, provider string
		fields         url.Values
		problem        string
	}{
		{"no id", "Kakao", url.Values{"name": {"Kept <i>"}, "email": {"kept@example.com"}}, "Enter an id"},
		{"Kakao id with letters", "Kakao", url.Values{"subject": {"abc"}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "whole numbers"},
		{"Kakao id with a leading zero", "Kakao", url.Values{"subject": {"012"}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "whole numbers"},
		{"Kakao id of zero", "Kakao", url.Values{"subject": {"0"}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "whole numbers"},
		{"Kakao id of 64 bits", "Kakao", url.Values{"subject": {"9223372036854775808"}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "whole numbers"},
		{"id with a space", "Google", url.Values{"subject": {"a b"}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "no spaces"},
		{"id too long", "Google", url.Values{"subject": {strings.Repeat("a", 122)}, "name": {"Kept <i>"}, "email": {"kept@example.com"}}, "at most 121"},
		{"email", "Google", url.Values{"subject": {"a"}, "name": {"Kept <i>"}, "email": {"kept@example.com, x"}}, "an address such as"},
		{"no person of the list", "Google", url.Values{"person": {"1"}}, "Pick a person"},
		{"negative person", "Google", url.Values{"person": {"-1"}}, "Pick a person"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := newVisitor(t, p)
			page := v.open(authorizeURL("web", webCallback, "identity_provider", test.provider))
			refused := v.submit(page, test.fields)
			if refused.status != http.StatusBadRequest || !strings.Contains(refused.body, test.problem) {
				t.Fatalf("%d, want %q in %s", refused.status, test.problem, refused.body)
			}
			for _, name := range []string{"subject", "name", "email"} {
				if kept := `value="` + html.EscapeString(test.fields.Get(name)) + `"`; test.fields.Has(name) && !strings.Contains(refused.body, kept) {
					t.Errorf("%s is lost", name)
				}
			}
			back := v.submit(refused, url.Values{"subject": {strconv.Itoa(100 + i)}})
			if back.query(t).Get("code") == "" {
				t.Errorf("mended: %d %s %s", back.status, back.header.Get("Location"), back.body)
			}
		})
	}
}

func TestCancelAtProvider(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	page := v.open(authorizeURL("web", "http://localhost:8080/cb?tenant=1", "identity_provider", "Kakao"))
	back := v.submit(page, url.Values{"cancel": {"true"}})
	to := back.header.Get("Location")
	if q := back.query(t); !strings.HasPrefix(to, "http://localhost:8080/cb?tenant=1&") || q.Get("error") != "access_denied" || q.Get("state") != "st-1" || q.Has("code") {
		t.Errorf("callback: %s", to)
	}
	if again := v.open(authorizeURL("web", webCallback, "prompt", "none")); again.query(t).Get("error") != "login_required" {
		t.Errorf("signed in after cancelling: %s", again.header.Get("Location"))
	}
}

func TestNativeSignIn(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	page := v.open(authorizeURL("web", webCallback, "login_hint", "nat<ive"))
	if !strings.Contains(page.body, `value="nat&lt;ive"`) {
		t.Error("login_hint does not prefill the username")
	}
	for _, wrong := range []url.Values{
		{"username": {"native"}, "password": {"wrong"}},
		{"username": {"native"}, "password": {""}},
		{"username": {""}, "password": {"Passw0rd!"}},
		{"username": {"nobody"}, "password": {"Passw0rd!"}},
	} {
		refused := v.submit(page, wrong)
		if refused.status != http.StatusBadRequest || !strings.Contains(refused.body, `role="alert"`) {
			t.Fatalf("%v: %d %s", wrong, refused.status, refused.body)
		}
		if name := wrong.Get("username"); !strings.Contains(refused.body, `value="`+name+`"`) || strings.Contains(refused.body, "Passw0rd") {
			t.Errorf("%v: the username is lost, or the password is there: %s", wrong, refused.body)
		}
	}
	back := v.submit(page, url.Values{"username": {" native "}, "password": {"Passw0rd!"}})
	got := v.redeem(back.query(t).Get("code"))
	if got.status != http.StatusOK || payload(t, got.field("id_token"))["cognito:username"] != "native" {
		t.Fatalf("token: %d %s", got.status, got.body)
	}
	if again := v.submit(page, url.Values{"username": {"native"}, "password": {"Passw0rd!"}}); !strings.Contains(again.body, "Something went wrong") {
		t.Errorf("the page works twice: %d %s", again.status, again.header.Get("Location"))
	}
}

func TestPageSessionEndsAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	v := newVisitor(t, p)
	login := v.open(authorizeURL("web", webCallback))
	standIn := v.open(authorizeURL("web", webCallback, "identity_provider", "Kakao"))
	p.Advance(5*time.Minute + time.Second)
	for name, late := range map[string]answer{
		"login":    v.submit(login, url.Values{"username": {"native"}, "password": {"Passw0rd!"}}),
		"stand-in": v.submit(standIn, url.Values{"person": {"0"}}),
	} {
		if late.status != http.StatusBadRequest || !strings.Contains(late.body, "Something went wrong") {
			t.Errorf("%s: %d %s", name, late.status, late.body)
		}
	}
}

// TestLoginIsBoundToTheBrowser has somebody lure another browser into finishing a sign-in (login CSRF).
func TestLoginIsBoundToTheBrowser(t *testing.T) {
	t.Parallel()
	p := newHostedPool(t)
	attacker, victim := newVisitor(t, p), newVisitor(t, p)
	page := attacker.open(authorizeURL("web", webCallback, "identity_provider", "Kakao"))
	victim.open(authorizeURL("web", webCallback))
	lured := victim.submit(page, url.Values{"person": {"0"}})
	if lured.status != http.StatusBadRequest || !strings.Contains(lured.body, "Invalid state") {
		t.Errorf("stand-in: %d %s", lured.status, lured.body)
	}
	login := attacker.open(authorizeURL("web", webCallback))
	lured = victim.submit(login, url.Values{"username": {"native"}, "password": {"Passw0rd!"}})
	if !strings.Contains(lured.body, "Something went wrong") {
		t.Errorf("login: %d %s", lured.status, lured.header.Get("Location"))
	}
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	one := v.open(authorizeURL("web", webCallback, "state", "one", "identity_provider", "Kakao"))
	two := v.open(authorizeURL("web", webCallback, "state", "two", "identity_provider", "Google"))
	if q := v.submit(one, url.Values{"person": {"0"}}).query(t); q.Get("state") != "one" || q.Get("code") == "" {
		t.Errorf("first tab: %v", q)
	}
	if q := v.submit(two, url.Values{"person": {"0"}}).query(t); q.Get("state") != "two" || q.Get("code") == "" {
		t.Errorf("second tab: %v", q)
	}
}

func TestDisabledUserCannotSignIn(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	if _, err := v.pool.AddUser(ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	page := v.open(authorizeURL("web", webCallback, "identity_provider", "Kakao"))
	back := v.submit(page, url.Values{"subject": {"1"}})
	if q := back.query(t); q.Get("error") != "invalid_request" || q.Get("state") != "st-1" {
		t.Errorf("sign-in of a disabled user: %v", q)
	}
	if got := v.open(authorizeURL("web", webCallback, "prompt", "none")).query(t); got.Get("error") != "login_required" {
		t.Errorf("session of a disabled user: %v", got)
	}
}

// TestProviderAnswerIsBoundToItsRequest mixes up the answers of two tabs, and sends one twice.
func TestProviderAnswerIsBoundToItsRequest(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	stateOf := func(page answer) string { return html.UnescapeString(hiddenForm.FindStringSubmatch(page.body)[2]) }
	one := stateOf(v.open(authorizeURL("web", webCallback, "state", "one", "identity_provider", "Kakao")))
	two := stateOf(v.open(authorizeURL("web", webCallback, "state", "two", "identity_provider", "Kakao")))

	wrongPage := v.do(http.MethodPost, "/_idp/Google/authorize", form("state", one, "person", "0"), nil)
	if wrongPage.status != http.StatusBadRequest {
		t.Errorf("the answer of another provider: %d %s", wrongPage.status, wrongPage.header.Get("Location"))
	}
	answered := v.do(http.MethodPost, "/_idp/Kakao/authorize", form("state", one, "person", "0"), nil).query(t)
	mixed := v.open("/oauth2/idpresponse?" + form("code", answered.Get("code"), "state", two))
	if q := mixed.query(t); q.Get("error") != "invalid_request" || q.Get("state") != "two" || q.Has("code") {
		t.Errorf("mixed up: %v", q)
	}
	good := v.open("/oauth2/idpresponse?" + answered.Encode())
	if q := good.query(t); q.Get("state") != "one" || !q.Has("code") {
		t.Errorf("good: %v", q)
	}
	if again := v.open("/oauth2/idpresponse?" + answered.Encode()); !strings.Contains(again.body, "Something went wrong") {
		t.Errorf("twice: %d %s", again.status, again.header.Get("Location"))
	}
}

func TestPagesAreLockedDown(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	for name, page := range map[string]answer{
		"login":    v.open(authorizeURL("web", webCallback)),
		"stand-in": v.open(authorizeURL("web", webCallback, "identity_provider", "Google")),
		"error":    v.open("/error?error=%3Cscript%3Ealert(1)%3C/script%3E&client_id=%22%3E%3Cscript%3E"),
	} {
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page.body)
		if style == nil {
			t.Fatalf("%s: no style: %s", name, page.body)
		}
		sum := sha256.Sum256([]byte(style[1]))
		policy := page.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("%s: the policy does not have the style sheet's hash: %s", name, policy)
		}
		if strings.Contains(page.body, "<script") || strings.Contains(page.body, "http://") || strings.Contains(page.body, "https://") {
			t.Errorf("%s has a script or an address of elsewhere: %s", name, page.body)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := page.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
}

func TestLoginPageOfferings(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t))
	for _, test := range []struct {
		name, target          string
		kakao, google, native bool
	}{
		{"all", authorizeURL("web", webCallback), true, true, true},
		{"identity_provider=COGNITO", authorizeURL("web", webCallback, "identity_provider", "COGNITO"), false, false, true},
		{"a client with Google only", authorizeURL("googleonly", webCallback), false, true, false},
	} {
		page := v.open(test.target)
		for text, want := range map[string]bool{
			"Continue with Kakao": test.kakao, "Continue with Google": test.google, `name="password"`: test.native,
		} {
			if strings.Contains(page.body, text) != want {
				t.Errorf("%s: %q, want %v: %s", test.name, text, want, page.body)
			}
		}
	}
}

// TestTriggerFailureOfAPassword is shown on the page: the app hears of it only if a provider vouched for the person.
func TestTriggerFailureOfAPassword(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHostedPool(t, func(c *ssotest.Config) {
		c.Triggers.PreAuthentication = ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	}))
	v.pool.SetFaults(func(f *ssotest.Faults) {
		f.TriggerError = map[string]string{"PreAuthentication_Authentication": "not today"}
	})
	page := v.submit(v.open(authorizeURL("web", webCallback)), url.Values{"username": {"native"}, "password": {"Passw0rd!"}})
	if page.status != http.StatusBadRequest || !strings.Contains(page.body, "PreAuthentication failed with error not today.") {
		t.Errorf("%d %s %s", page.status, page.header.Get("Location"), page.body)
	}
}
