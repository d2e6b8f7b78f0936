package ssotest_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// claimsOf are the claims of a token, unchecked.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	part(t, token, 1, &claims)
	return claims
}

// part reads a part of a compact JWS.
func part(t *testing.T, token string, i int, dst any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in a token", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, dst); err != nil {
		t.Fatal(err)
	}
}

// get is a GET of a URL.
func get(ctx context.Context, t *testing.T, url string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// publishedKeys fetches the key document and reads it by hand.
func publishedKeys(t *testing.T, p *ssotest.Pool) map[string]*rsa.PublicKey {
	t.Helper()
	_, body, err := get(t.Context(), t, p.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, k := range doc.Keys {
		if members := slices.Sorted(maps.Keys(k)); !slices.Equal(members, []string{"alg", "e", "kid", "kty", "n", "use"}) {
			t.Errorf("a key has the members %v", members)
		}
		if k["alg"] != "RS256" || k["kty"] != "RSA" || k["use"] != "sig" || k["e"] != "AQAB" {
			t.Errorf("a key is %v", k)
		}
		if !strings.HasSuffix(k["kid"], "=") {
			t.Errorf("kid %q does not end in =", k["kid"])
		}
		n, err := base64.RawURLEncoding.DecodeString(k["n"])
		if err != nil {
			t.Fatal(err)
		}
		keys[k["kid"]] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
		if bits := keys[k["kid"]].N.BitLen(); bits != 2048 {
			t.Errorf("a key has %d bits", bits)
		}
	}
	return keys
}

// signedBy returns the id of the key that signed a token, "" if none of keys did. It checks the header too.
func signedBy(t *testing.T, keys map[string]*rsa.PublicKey, token string) string {
	t.Helper()
	var header map[string]any
	part(t, token, 0, &header)
	if names := slices.Sorted(maps.Keys(header)); !slices.Equal(names, []string{"alg", "kid"}) || header["alg"] != "RS256" {
		t.Errorf("the header is %v; want exactly kid and alg RS256", header)
	}
	kid, _ := header["kid"].(string)
	key := keys[kid]
	if key == nil {
		return ""
	}
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token[:dot]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return ""
	}
	return kid
}

// sameKeys compares the names of claims.
func sameKeys(t *testing.T, what string, claims map[string]any, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, want) {
		t.Errorf("%s has the claims\n%v\nwant\n%v", what, got, want)
	}
}

func TestMintedClaims(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{ResourceServers: map[string][]string{"api": {"read"}}, Clients: []ssotest.Client{
		{ClientID: "web", AccessTokenValidity: 10 * time.Minute, IDTokenValidity: 20 * time.Minute},
		{ClientID: "old", DisableTokenRevocation: true},
		{ClientID: "job", ClientSecret: "s", AllowedOAuthFlows: []string{"client_credentials"}},
	}})
	common := []string{"acr", "amr", "auth_time", "event_id", "exp", "iat", "iss", "jti", "origin_jti", "sub", "token_use"}

	access := claimsOf(t, p.AccessToken(ssotest.Claims{Subject: "s-1", Groups: []string{"staff"}, Scopes: []string{"openid", "email"}}))
	sameKeys(t, "an access token", access, append(common, "client_id", "cognito:groups", "scope", "username", "version")...)
	for name, want := range map[string]any{
		"sub": "s-1", "username": "s-1", "client_id": "web", "token_use": "access", "scope": "openid email",
		"version": 2.0, "iss": p.Issuer(), "cognito:groups": []any{"staff"},
	} {
		if !reflect.DeepEqual(access[name], want) {
			t.Errorf("access token: %s is %#v; want %#v", name, access[name], want)
		}
	}
	if life := access["exp"].(float64) - access["iat"].(float64); life != 600 {
		t.Errorf("an access token lives %v s; want 600", life)
	}

	id := claimsOf(t, p.IDToken(ssotest.Claims{
		Username: "Kakao_1", UserID: "42", Email: "a@b.kr", Nonce: "n", ClientID: "web",
	}))
	sameKeys(t, "an ID token", id, append(common, "aud", "cognito:username", "custom:userId", "email", "email_verified", "nonce")...)
	for name, want := range map[string]any{
		"cognito:username": "Kakao_1", "custom:userId": "42", "aud": "web", "token_use": "id", "email": "a@b.kr",
		"email_verified": true, "nonce": "n",
	} {
		if !reflect.DeepEqual(id[name], want) {
			t.Errorf("ID token: %s is %#v; want %#v", name, id[name], want)
		}
	}
	if id["sub"] == id["cognito:username"] {
		t.Error("sub is the username")
	}
	if life := id["exp"].(float64) - id["iat"].(float64); life != 1200 {
		t.Errorf("an ID token lives %v s; want 1200", life)
	}

	machine := claimsOf(t, p.AccessToken(ssotest.Claims{ClientID: "job", Machine: true}))
	sameKeys(t, "a machine's token", machine,
		"auth_time", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "token_use", "version")
	if machine["sub"] != "job" || machine["client_id"] != "job" || machine["scope"] != "api/read" {
		t.Errorf("a machine's token is %v", machine)
	}

	old := claimsOf(t, p.AccessToken(ssotest.Claims{ClientID: "old"}))
	if old["jti"] != nil || old["origin_jti"] != nil {
		t.Error("a token of a client without revocation has jti or origin_jti")
	}

	at := time.Unix(1_700_000_000, 0)
	odd := claimsOf(t, p.IDToken(ssotest.Claims{
		ClientID: "stranger", IssuedAt: at, AuthTime: at.Add(-time.Hour), TTL: time.Minute,
		Extra: map[string]any{"sub": 7, "x": nil}, Drop: []string{"aud", "jti"},
	}))
	for name, want := range map[string]any{
		"iat": 1.7e9, "auth_time": 1.7e9 - 3600, "exp": 1.7e9 + 60, "sub": 7.0, "aud": nil, "jti": nil,
	} {
		if odd[name] != want {
			t.Errorf("%s is %v; want %v", name, odd[name], want)
		}
	}
}

func TestMintPanicsOnBadClaims(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	p.AccessToken(ssotest.Claims{Extra: map[string]any{"f": func() {}}})
}

func TestTwoKeys(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	keys := publishedKeys(t, p)
	access := signedBy(t, keys, p.AccessToken(ssotest.Claims{}))
	id := signedBy(t, keys, p.IDToken(ssotest.Claims{}))
	if len(keys) != 2 || access == "" || id == "" || access == id {
		t.Errorf("%d keys; access token by %q, ID token by %q", len(keys), access, id)
	}
	if access != p.KeyID(sso.UseAccess) || id != p.KeyID(sso.UseID) {
		t.Error("KeyID is another one")
	}
	forged := p.Sign(sso.UseAccess, []byte(`{"kid":"x","alg":"none"}`), []byte(`{"a":1}`))
	if claimsOf(t, forged)["a"] != 1.0 {
		t.Error("Sign did not sign what it was given")
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	old := p.AccessToken(ssotest.Claims{})
	p.RotateKeys()
	keys := publishedKeys(t, p)
	fresh := p.AccessToken(ssotest.Claims{})
	if len(keys) != 4 || signedBy(t, keys, old) == "" || signedBy(t, keys, fresh) == "" {
		t.Errorf("after rotation there are %d keys, and not both tokens verify", len(keys))
	}
	p.DropOldKeys()
	keys = publishedKeys(t, p)
	if len(keys) != 2 || signedBy(t, keys, old) != "" || signedBy(t, keys, fresh) == "" {
		t.Errorf("after dropping there are %d keys, or the wrong token verifies", len(keys))
	}
	if p.JWKSFetches() != 2 {
		t.Errorf("%d fetches; want 2", p.JWKSFetches())
	}
}

func TestKeyDir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	start := func() *ssotest.Pool { return ssotest.NewPool(t, ssotest.Config{KeyDir: dir}) }
	p := start()
	first := p.AccessToken(ssotest.Claims{})
	p.RotateKeys()
	second := p.IDToken(ssotest.Claims{})
	_ = p.Close()

	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v; want 4", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 || !strings.HasPrefix(string(text), "-----BEGIN PRIVATE KEY-----\n") {
			t.Errorf("%s has mode %v, or is no PKCS#8 PEM", f.Name(), info.Mode())
		}
	}

	p = start()
	keys := publishedKeys(t, p)
	if signedBy(t, keys, first) == "" || signedBy(t, keys, second) == "" {
		t.Error("a token did not survive the restart")
	}
	var before, after map[string]any
	part(t, second, 0, &before)
	part(t, p.IDToken(ssotest.Claims{}), 0, &after)
	if before["kid"] != after["kid"] {
		t.Error("the restarted pool signs with another key")
	}
	p.DropOldKeys()
	_ = p.Close()
	keys = publishedKeys(t, start())
	if len(keys) != 2 || signedBy(t, keys, first) != "" || signedBy(t, keys, second) == "" {
		t.Error("a dropped key came back, or the current one is gone")
	}
}

func TestLivePoolsShareNoKey(t *testing.T) {
	t.Parallel()
	gone := ssotest.NewPool(t, ssotest.Config{})
	old := gone.AccessToken(ssotest.Claims{})
	_ = gone.Close()
	a, b := ssotest.NewPool(t, ssotest.Config{}), ssotest.NewPool(t, ssotest.Config{})
	moduli := make(map[string]bool)
	for _, p := range []*ssotest.Pool{a, b} {
		keys := publishedKeys(t, p)
		for _, k := range keys {
			moduli[k.N.String()] = true
		}
		if signedBy(t, keys, old) != "" {
			t.Error("a closed pool's token verifies")
		}
	}
	if len(moduli) != 4 {
		t.Errorf("%d different keys in two pools; want 4", len(moduli))
	}
}

func TestJWKSFaults(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	token := p.AccessToken(ssotest.Claims{})
	set := func(fault ssotest.JWKSFault) {
		p.SetFaults(func(f *ssotest.Faults) { f.JWKS = fault })
	}
	for _, row := range []struct {
		name         string
		fault        ssotest.JWKSFault
		status       int
		contentType  string
		isJSON, keys bool
	}{
		{"none", ssotest.JWKSOK, 200, "application/json", true, true},
		{"down", ssotest.JWKSDown, 503, "text/plain; charset=utf-8", false, false},
		{"empty", ssotest.JWKSEmpty, 200, "application/json", true, false},
		{"HTML", ssotest.JWKSHTML, 200, "text/html;charset=UTF-8", false, false},
		{"wrong keys", ssotest.JWKSWrong, 200, "application/json", true, true},
		{"truncated", ssotest.JWKSTruncated, 200, "application/json", false, true},
	} {
		set(row.fault)
		resp, body, err := get(t.Context(), t, p.JWKSURL())
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != row.status || resp.Header.Get("Content-Type") != row.contentType ||
			json.Valid(body) != row.isJSON || strings.Contains(string(body), `"kid"`) != row.keys {
			t.Errorf("%s: %d %s %.60s", row.name, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
	set(ssotest.JWKSWrong)
	var header map[string]any
	part(t, token, 0, &header)
	keys := publishedKeys(t, p)
	if kid, _ := header["kid"].(string); keys[kid] == nil || signedBy(t, keys, token) != "" {
		t.Error("wrong keys must have the same ids and not verify")
	}
}

func TestJWKSHang(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	p.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSHang })

	ctx, cancel := context.WithCancel(t.Context())
	fetched := make(chan error, 1)
	go func() {
		_, _, err := get(ctx, t, p.JWKSURL())
		fetched <- err
	}()
	waitFor(t, func() bool { return p.JWKSFetches() == 1 })
	cancel()
	if err := <-fetched; err == nil {
		t.Error("a cancelled fetch succeeded")
	}

	go func() {
		_, _, err := get(t.Context(), t, p.JWKSURL())
		fetched <- err
	}()
	waitFor(t, func() bool { return p.JWKSFetches() == 2 })
	p.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSOK })
	if err := <-fetched; err != nil {
		t.Errorf("lifting the fault: %v", err)
	}

	p.SetFaults(func(f *ssotest.Faults) { f.JWKS = ssotest.JWKSHang })
	go func() {
		_, _, err := get(t.Context(), t, p.JWKSURL())
		fetched <- err
	}()
	waitFor(t, func() bool { return p.JWKSFetches() == 3 })
	if err := p.Close(); err != nil {
		t.Errorf("closing while a fetch hangs: %v", err)
	}
	<-fetched
}

// waitFor waits for a server's state that no channel tells.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not happen")
		}
	}
}

func TestClockAndSkew(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	now := p.VerifierConfig().Now
	p.Advance(48 * time.Hour)
	if ahead := time.Until(now()); ahead < 47*time.Hour {
		t.Errorf("the clock is %v ahead", ahead)
	}
	p.SetFaults(func(f *ssotest.Faults) { f.ClockSkew = time.Hour })
	iat := time.Unix(int64(claimsOf(t, p.AccessToken(ssotest.Claims{}))["iat"].(float64)), 0)
	if skew := iat.Sub(now()).Round(time.Minute); skew != time.Hour {
		t.Errorf("tokens are stamped %v ahead of the verifier's clock; want 1h", skew)
	}
	p.Advance(-96 * time.Hour)
	if ahead := time.Until(now()); ahead > -47*time.Hour {
		t.Errorf("the clock is %v ahead", ahead)
	}
}

// TestVerifierAccepts runs the SDK's own verifier against the pool.
func TestVerifierAccepts(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"", ssotest.IssuerOriginal, ssotest.IssuerUpdated} {
		p := ssotest.NewPool(t, ssotest.Config{Issuer: issuer})
		v, err := sso.NewVerifier(p.VerifierConfig())
		if err != nil {
			t.Fatal(err)
		}
		access, err := v.VerifyAccess(t.Context(), p.AccessToken(ssotest.Claims{UserID: "42", Groups: []string{"staff"}}))
		if err != nil || access.UserID != "42" || !access.HasGroup("staff") {
			t.Errorf("issuer %q: access token: %v", issuer, err)
		}
		id, err := v.VerifyID(t.Context(), p.IDToken(ssotest.Claims{Email: "a@b.kr"}))
		if err != nil || !id.EmailVerified {
			t.Errorf("issuer %q: ID token: %v", issuer, err)
		}
		machine, err := v.VerifyAccess(t.Context(), p.AccessToken(ssotest.Claims{Machine: true, Scopes: []string{"api/read"}}))
		if err != nil || !machine.Machine() {
			t.Errorf("issuer %q: machine token: %v", issuer, err)
		}
	}
}

func TestClientConfig(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{Clients: []ssotest.Client{
		{
			ClientID: "web", ClientSecret: "secret", CallbackURLs: []string{"https://a.example/cb", "https://b.example/cb"},
			LogoutURLs: []string{"https://a.example/"}, SupportedIdentityProviders: []string{"COGNITO", "Kakao"},
		},
		{ClientID: "other"},
	}})
	cfg := p.ClientConfig("web")
	if cfg.Verifier == nil || cfg.Domain != p.URL() || cfg.ClientID != "web" || cfg.ClientSecret.Reveal() != "secret" ||
		cfg.RedirectURL != "https://a.example/cb" || cfg.LogoutURL != "https://a.example/" ||
		!slices.Equal(cfg.IdentityProviders, []string{"Kakao"}) || !cfg.InsecureAllowHTTP || cfg.Now == nil {
		t.Errorf("%+v", cfg)
	}
	if _, err := sso.NewClient(cfg); err != nil {
		t.Errorf("NewClient: %v", err)
	}
	if ids := p.VerifierConfig().ClientIDs; !slices.Equal(ids, []string{"web", "other"}) {
		t.Errorf("a verifier of all clients has %v", ids)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a client the pool has not")
		}
	}()
	p.ClientConfig("stranger")
}

func TestAddUser(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	native, err := p.AddUser(ssotest.User{Attributes: map[string]string{"email": "a@b.kr", "custom:userId": "7"}, Groups: []string{"staff"}})
	if err != nil {
		t.Fatal(err)
	}
	if native.Username != native.Sub || native.Status != "CONFIRMED" || native.Attributes["custom:userId"] != "7" ||
		native.Attributes["email_verified"] != "false" || !slices.Equal(native.Groups, []string{"staff"}) {
		t.Errorf("%+v", native)
	}
	kakao, err := p.AddUser(ssotest.User{Username: "Kakao_11", Status: "EXTERNAL_PROVIDER", Sub: "s-11"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(kakao.Attributes["identities"], `"userId":"11"`) || !slices.Equal(kakao.Groups, []string{p.ID() + "_Kakao"}) {
		t.Errorf("%+v", kakao)
	}
	if u, ok := p.User("s-11"); !ok || u.Username != "Kakao_11" {
		t.Error("no user by sub")
	}
	if users := p.Users(); len(users) != 2 {
		t.Errorf("%d users", len(users))
	}
	// What User gives can be added to another pool.
	if again, err := ssotest.NewPool(t, ssotest.Config{}).AddUser(kakao); err != nil || again.Attributes["identities"] != kakao.Attributes["identities"] {
		t.Errorf("%v: %+v", err, again)
	}
	for _, row := range []struct {
		name string
		user ssotest.User
	}{
		{"name taken", ssotest.User{Username: "Kakao_11"}},
		{"sub taken", ssotest.User{Sub: "s-11"}},
		{"unknown attribute", ssotest.User{Attributes: map[string]string{"custom:x": "1"}}},
		{"unknown status", ssotest.User{Status: "OK"}},
		{"external user of no provider", ssotest.User{Username: "Naver_1", Status: "EXTERNAL_PROVIDER"}},
		{"identities that are not JSON", ssotest.User{Attributes: map[string]string{"identities": "Kakao"}}},
		{"identities of no provider", ssotest.User{Attributes: map[string]string{"identities": `[{"providerName":"Naver","userId":"1"}]`}}},
		{"another sub among the attributes", ssotest.User{Sub: "a", Attributes: map[string]string{"sub": "b"}}},
	} {
		if _, err := p.AddUser(row.user); err == nil {
			t.Errorf("%s: added", row.name)
		}
	}
}
