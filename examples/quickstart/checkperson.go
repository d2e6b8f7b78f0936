package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// person is somebody at an identity provider, as typed on its page.
type person struct{ provider, subject, name, email string }

func (p person) form() url.Values {
	return url.Values{"subject": {p.subject}, "name": {p.name}, "email": {p.email}}
}

// newKakaoPerson and newGooglePerson make somebody whom nobody has seen yet.
func newKakaoPerson(name string) person {
	// Kakao does not say that an email is verified, and people may keep it to themselves.
	return person{"Kakao", strconv.FormatInt(1_000_000_000+mrand.Int64N(8_000_000_000), 10), name, ""}
}

func newGooglePerson(name string) person {
	subject := "1" + fmt.Sprintf("%020d", mrand.Uint64())
	return person{"Google", subject, name, "g" + subject + "@example.com"}
}

// atHome goes to the app and reports an error unless the app shows its home page.
func atHome(ctx context.Context, v *visitor, a *app) error {
	if err := v.open(ctx, a.url+"/"); err != nil {
		return err
	}
	if v.page.status != http.StatusOK {
		return fmt.Errorf("%s does not show its home page: %s", a.name, v.page.where())
	}
	return nil
}

// signIn signs a person in with the provider's button of the app, and ends on
// the app's home page.
func signIn(ctx context.Context, v *visitor, a *app, who person) error {
	if err := chooseProvider(ctx, v, a, who.provider); err != nil {
		return err
	}
	return answerAs(ctx, v, a, who)
}

func chooseProvider(ctx context.Context, v *visitor, a *app, provider string) error {
	if err := atHome(ctx, v, a); err != nil {
		return err
	}
	return v.follow(ctx, "Continue with "+provider)
}

// answerAs types who one is on the identity provider's page.
func answerAs(ctx context.Context, v *visitor, a *app, who person) error {
	if err := v.submit(ctx, "Continue", who.form()); err != nil {
		return err
	}
	if !strings.HasPrefix(v.page.url.String(), a.url) || v.page.status != http.StatusOK || v.page.text("user-id") == "" {
		return fmt.Errorf("not signed in on %s but at %s%s", a.name, v.page.where(), v.page.problem())
	}
	return nil
}

// signedIn reports who the app thinks this browser is: "" for nobody.
func signedIn(ctx context.Context, v *visitor, a *app) (userID string, err error) {
	if err := atHome(ctx, v, a); err != nil {
		return "", err
	}
	return v.page.text("user-id"), nil
}

// signedOut goes to the app and reports an error if it still knows somebody.
func signedOut(ctx context.Context, v *visitor, a *app) error {
	id, err := signedIn(ctx, v, a)
	if err == nil && id != "" {
		err = fmt.Errorf("%s still knows userId %s", a.name, id)
	}
	return err
}

// text returns the text of the element with this id, "" if there is none.
func (p page) text(id string) string {
	m := regexp.MustCompile(`\bid="` + regexp.QuoteMeta(id) + `"[^>]*>([^<]*)<`).FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(html.UnescapeString(m[1]))
}

// problem is the headline of a page that says what went wrong.
func (p page) problem() string {
	m := regexp.MustCompile(`<h[12][^>]*>([^<]+)<`).FindAllStringSubmatch(p.body, -1)
	if m == nil {
		return ""
	}
	return ": " + html.UnescapeString(m[len(m)-1][1])
}

// rawTokens are tokens as the token endpoint gives them, unverified.
type rawTokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// takeTokens signs in as an app would, by hand: the check's own code builds the
// request, keeps the app from seeing the callback, and redeems the code. who is
// asked for by the provider, unless the browser's session answers for it.
func (c *checker) takeTokens(ctx context.Context, v *visitor, a *app, who person) (rawTokens, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	verifier := base64.RawURLEncoding.EncodeToString(secret)
	challenge := sha256.Sum256([]byte(verifier))
	callback := a.url + "/auth/callback"
	v.stopAt = callback
	defer func() { v.stopAt = "" }()
	err := v.open(ctx, c.w.pool.URL()+"/oauth2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {a.clientID}, "redirect_uri": {callback}, "scope": {"openid"},
		"state": {"the-check"}, "identity_provider": {who.provider}, "nonce": {"n-" + verifier[:8]},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	if err != nil {
		return rawTokens{}, err
	}
	if !strings.HasPrefix(v.page.url.String(), callback) {
		if err := v.submit(ctx, "Continue", who.form()); err != nil {
			return rawTokens{}, err
		}
	}
	q := v.page.url.Query()
	if !strings.HasPrefix(v.page.url.String(), callback) || q.Get("code") == "" {
		return rawTokens{}, fmt.Errorf("no code but %q at %s%s", q.Get("error"), v.page.where(), v.page.problem())
	}
	return c.redeem(ctx, url.Values{
		"grant_type": {"authorization_code"}, "client_id": {a.clientID}, "client_secret": {a.clientSecret},
		"code": {q.Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
}

func (c *checker) redeem(ctx context.Context, form url.Values) (rawTokens, error) {
	if form.Get("client_secret") == "" {
		form.Del("client_secret") // of a public client
	}
	var t rawTokens
	res, body, err := post(ctx, c.w.pool.URL()+"/oauth2/token", form)
	if err != nil {
		return t, err
	}
	if res.StatusCode != http.StatusOK {
		return t, fmt.Errorf("the token endpoint answered %d", res.StatusCode)
	}
	if err := json.Unmarshal(body, &t); err != nil || t.Access == "" || t.ID == "" {
		return t, errors.New("the token endpoint's answer has no tokens")
	}
	return t, nil
}

// claims decodes a token without verifying it and without our own code.
func claims(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("a token of %d parts", len(parts))
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var m map[string]any
	err = json.Unmarshal(b, &m)
	return m, err
}

// callAPI asks an API with a bearer token; "" sends none.
func callAPI(ctx context.Context, address, token string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return send(req)
}

func post(ctx context.Context, address string, form url.Values) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(req)
}

func send(req *http.Request) (*http.Response, []byte, error) {
	res, err := plainClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	return res, bytes.TrimSpace(b), err
}
