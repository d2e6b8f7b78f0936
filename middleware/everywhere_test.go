package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// poolSignOut calls AdminUserGlobalSignOut of the test's pool.
type poolSignOut struct {
	url, poolID string
	err         error // in place of the call
}

func (p *poolSignOut) SignOut(ctx context.Context, username string) error {
	if p.err != nil {
		return p.err
	}
	body := fmt.Sprintf(`{"UserPoolId":%q,"Username":%q}`, p.poolID, username)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") // the pool looks for no more
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminUserGlobalSignOut")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %s", resp.StatusCode, answer)
	}
	return nil
}

// account returns who is signed in, by the app's own handler.
func (b *browser) account(a *app) middleware.Account {
	b.t.Helper()
	var who middleware.Account
	a.mux.Handle("/account", a.login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		token, _ := middleware.Token(r.Context())
		who = middleware.Account{Subject: token.Subject, Username: token.Username}
	})))
	b.send(http.MethodGet, a.base+"/account", script, nil)
	if who.Subject == "" || who.Username == "" {
		b.t.Fatalf("account %+v", who)
	}
	return who
}

var errPlanted = errors.New("PLANTED: user Kakao_3141592653")

// TestSignOutEverywhereHalves: each half is done whatever becomes of the other,
// and the error says which failed, and nothing of the user.
func TestSignOutEverywhereHalves(t *testing.T) {
	t.Parallel()
	type halves struct{ store, cognito bool } // which of them worked
	const planted = "PLANTED"
	for _, row := range []struct {
		name     string
		who      func(middleware.Account) middleware.Account
		storeErr error
		global   func(*poolSignOut) middleware.GlobalSignOut
		is, not  []error
		done     halves
	}{
		{name: "both", done: halves{true, true}},
		{name: "no GlobalSignOut", global: func(*poolSignOut) middleware.GlobalSignOut { return nil }, done: halves{true, false}},
		{
			name: "Cognito fails", global: func(p *poolSignOut) middleware.GlobalSignOut { p.err = errPlanted; return p },
			is: []error{middleware.ErrGlobalSignOut, errPlanted}, not: []error{middleware.ErrSessionStore}, done: halves{true, false},
		},
		{
			name: "the store fails", storeErr: errStoreDown,
			is: []error{middleware.ErrSessionStore}, not: []error{middleware.ErrGlobalSignOut}, done: halves{false, true},
		},
		{
			name: "both fail", storeErr: errStoreDown, global: func(p *poolSignOut) middleware.GlobalSignOut { p.err = errPlanted; return p },
			is: []error{middleware.ErrSessionStore, middleware.ErrGlobalSignOut}, done: halves{false, false},
		},
		{
			name: "no username", who: func(a middleware.Account) middleware.Account { a.Username = ""; return a },
			is: []error{middleware.ErrGlobalSignOut, sso.ErrConfig}, not: []error{middleware.ErrSessionStore}, done: halves{true, false},
		},
		{
			name: "no subject", who: func(a middleware.Account) middleware.Account { a.Subject = ""; return a },
			is: []error{sso.ErrConfig}, not: []error{middleware.ErrGlobalSignOut}, done: halves{false, true},
		},
		{
			name: "nobody of that name", who: func(a middleware.Account) middleware.Account { a.Username = "PLANTED"; return a },
			is: []error{middleware.ErrGlobalSignOut}, not: []error{middleware.ErrSessionStore}, done: halves{true, false},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			pool := &poolSignOut{url: w.pool.URL(), poolID: w.pool.ID()}
			global := middleware.GlobalSignOut(pool)
			if row.global != nil {
				global = row.global(pool)
			}
			here := w.newApp(appBase, func(c *middleware.LoginConfig) { c.GlobalSignOut = global })
			there := w.newApp(deskBase) // with a store of its own
			b, phone := w.newBrowser(), w.newBrowser()
			b.signIn(here)
			phone.signIn(here)
			b.visit(there.base + "/")
			who := b.account(here)
			if row.who != nil {
				who = row.who(who)
			}
			here.store.setHook(failOn("deleteBySubject", row.storeErr))
			n, err := here.login.SignOutEverywhere(t.Context(), who)
			for _, want := range row.is {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
			for _, other := range row.not {
				if errors.Is(err, other) {
					t.Errorf("error %v is %v", err, other)
				}
			}
			if len(row.is) == 0 && err != nil || err != nil && strings.Contains(err.Error(), planted) {
				t.Errorf("error %v", err)
			}
			wantN := 0
			if row.done.store {
				wantN = 2
			}
			if n != wantN || b.signedIn(here) == row.done.store || phone.signedIn(here) == row.done.store {
				t.Errorf("%d sessions ended here, want %d", n, wantN)
			}
			// Elsewhere the session lives until its token ends, and is not
			// refreshed if Cognito was told.
			if !b.signedIn(there) {
				t.Error("the other app's session ended at once")
			}
			w.pool.Advance(almostExpired)
			if b.signedIn(there) == row.done.cognito {
				t.Errorf("the other app's session was refreshed: %t", !row.done.cognito)
			}
		})
	}
}

// impatientSignOut fails where it is given no time, and notes whether that is
// bounded.
type impatientSignOut struct{ bounded bool }

func (i *impatientSignOut) SignOut(ctx context.Context, _ string) error {
	_, i.bounded = ctx.Deadline()
	return ctx.Err()
}

// TestSignOutEverywhereHangingStore: a store that takes all of the caller's time
// does not take the half at Cognito along.
func TestSignOutEverywhereHangingStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var global impatientSignOut
	a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.GlobalSignOut = &global })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	a.store.setHook(func(string) error { <-ctx.Done(); return ctx.Err() })
	_, err := a.login.SignOutEverywhere(ctx, middleware.Account{Subject: "s", Username: "u"})
	if !errors.Is(err, middleware.ErrSessionStore) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, middleware.ErrGlobalSignOut) || !global.bounded {
		t.Errorf("error %v, bounded %t", err, global.bounded)
	}
}

// TestSignOutFormHalves: the form tells nobody to be signed out while the store
// fails, and asks Cognito all the same.
func TestSignOutFormHalves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	global := &globalSignOut{}
	a := w.newApp(appBase, func(c *middleware.LoginConfig) { c.GlobalSignOut = global })
	b := w.newBrowser()
	b.signIn(a)
	a.store.setHook(failOn("deleteBySubject", errStoreDown))
	if p := b.signOut(a, url.Values{"everywhere": {"1"}}); p.status != 503 || len(global.names) != 1 || !b.signedIn(a) {
		t.Errorf("%d, Cognito was asked for %q", p.status, global.names)
	}
	a.store.setHook(nil)
	if p := b.signOut(a, url.Values{"everywhere": {"1"}}); p.status != 303 || b.signedIn(a) {
		t.Errorf("again: %d", p.status)
	}
}

// TestSignOutEverywhereInCookies: what is left of it where there is no store.
func TestSignOutEverywhereInCookies(t *testing.T) {
	t.Parallel()
	for _, globalErr := range []error{nil, errPlanted} {
		w := newWorld(t)
		global := &globalSignOut{err: globalErr}
		a := w.newApp(appBase, keepRefresh, func(c *middleware.LoginConfig) { c.GlobalSignOut = global })
		b, phone := w.newBrowser(), w.newBrowser()
		b.signIn(a)
		phone.signIn(a)
		who := b.account(a)
		if n, err := a.login.SignOutSubject(t.Context(), who.Subject); n != 0 || !errors.Is(err, middleware.ErrCookieSessions) {
			t.Errorf("SignOutSubject: %d, %v", n, err)
		}
		n, err := a.login.SignOutEverywhere(t.Context(), who)
		if n != 0 || !errors.Is(err, middleware.ErrCookieSessions) || errors.Is(err, middleware.ErrGlobalSignOut) != (globalErr != nil) || len(global.names) != 1 {
			t.Errorf("SignOutEverywhere: %d, %v, Cognito was asked for %q", n, err, global.names)
		}
		if p := b.signOut(a, url.Values{"everywhere": {"1"}}); p.status != 303 || b.signedIn(a) || len(global.names) != 2 {
			t.Errorf("the form: %d, Cognito was asked for %q", p.status, global.names)
		}
		if !phone.signedIn(a) {
			t.Error("the documentation says that another browser goes on")
		}
	}
}
