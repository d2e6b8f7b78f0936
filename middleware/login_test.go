package middleware_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestSignIn is the whole story: protected page, Cognito, Kakao, back.
func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.newApp(appBase)
	b := w.newBrowser()

	p := b.send(http.MethodGet, a.base+"/notes?page=2", navigation, nil)
	if p.status != http.StatusSeeOther || p.location() != "/auth/login?return_to=%2Fnotes%3Fpage%3D2" {
		t.Fatalf("GET /notes: %d %s", p.status, p.location())
	}
	p = b.follow(p, "")
	if !strings.HasPrefix(p.url, w.pool.URL()+"/login?") {
		t.Fatalf("sent to %s", p.url)
	}
	p = b.visit(b.callback(a, "/notes?page=2"))
	if p.status != http.StatusOK || p.url != a.base+"/notes?page=2" || !strings.HasPrefix(p.body, "hello ") {
		t.Fatalf("after signing in: %d %s %s", p.status, p.url, p.body)
	}
	if len(b.flowCookies(a)) != 1 {
		t.Errorf("flow cookies: %v, want only that of the first tab", b.flowCookies(a))
	}
}
