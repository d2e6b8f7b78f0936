package browsersuite_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

// browserCookies are the cookies that the browser has for an address.
func browserCookies(tab *browsertest.Tab, address string) []*network.Cookie {
	return browsertest.Run(tab, func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		got, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
		return got.Cookies, err
	})
}

// cookiesOf are the cookies of a request whose name contains a part.
func cookiesOf(s seen, part string) (found []*http.Cookie) {
	for _, c := range (&http.Request{Header: s.header}).Cookies() {
		if strings.Contains(c.Name, part) {
			found = append(found, c)
		}
	}
	return found
}

// clickOn is a click for [browsertest.Tab.Follow].
func clickOn(css string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(css)) }

// goTo goes where a script of the page sends the browser, unlike an address
// that is typed: the browser says which site it comes from.
func goTo(address string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[int]("location.assign("+strconv.Quote(address)+"), 0"))
		return err
	})
}

func escape(s string) string { return url.QueryEscape(s) }

func pressing(key string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(key) }
