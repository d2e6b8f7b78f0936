package sso

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"
)

const (
	maxLoginHintLen = 512
	maxResourceLen  = 2048
	maxMaxAge       = 366 * 24 * time.Hour
)

// AuthOptions varies one authorization request. The zero value is a plain
// sign-in.
type AuthOptions struct {
	// IdentityProvider skips Cognito's page and goes straight to this
	// provider. It must be among ClientConfig.IdentityProviders, and is
	// refused beside Prompt "none": Cognito would answer login_required to
	// people who signed in through a provider.
	IdentityProvider string
	// Prompt is the OIDC prompt parameter: "none", or one or more of "login",
	// "select_account" and "consent", each once, separated by single spaces.
	Prompt string
	// LoginHint prefills the sign-in form. At most 512 bytes.
	LoginHint string
	// Lang is the language of managed login, such as "ko" or "zh-CN".
	Lang string
	// MaxAge is how long ago the person may have authenticated, in whole
	// seconds; [Client.Exchange] holds the answer to it with [ErrNotFresh],
	// because pools below the Essentials plan ignore the parameter. Defaults
	// to 0, any time; to have people authenticate now, set Prompt to "login".
	MaxAge time.Duration
	// Resource is the API that the access token is for, as its aud claim: an
	// https URL, an http one on localhost, or one of a custom scheme, without
	// fragment (RFC 8707). Refreshed tokens keep it. Defaults to none.
	Resource string
}

// Flow is what one authorization request must remember until its callback.
//
// Keep it in the browser that started it, sealed (encrypted and authenticated),
// and drop it at the first callback: a flow kept on the server alone lets an
// attacker finish their own sign-in in somebody else's browser. Unlike
// everything else with a [Secret] in it, a Flow marshals to JSON with its real
// values, for sealing; do not log that.
type Flow struct {
	State        Secret
	Nonce        Secret
	CodeVerifier Secret
	CreatedAt    time.Time
	// MaxAge is AuthOptions.MaxAge.
	MaxAge time.Duration
}

// flowJSON is Flow on its way into a sealed cookie.
type flowJSON struct {
	State        string    `json:"state"`
	Nonce        string    `json:"nonce"`
	CodeVerifier string    `json:"code_verifier"`
	CreatedAt    time.Time `json:"created_at"`
	MaxAge       int64     `json:"max_age,omitempty"` // seconds
}

// MarshalJSON returns the flow with its secrets readable, to be sealed.
func (f Flow) MarshalJSON() ([]byte, error) {
	return json.Marshal(flowJSON{f.State.Reveal(), f.Nonce.Reveal(), f.CodeVerifier.Reveal(), f.CreatedAt, int64(f.MaxAge / time.Second)})
}

// UnmarshalJSON reads what MarshalJSON wrote. It replaces all of f, and a flow
// that lacks something is refused by [Client.Exchange].
func (f *Flow) UnmarshalJSON(data []byte) error {
	var j flowJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return errFlowJSON // the text of err may quote data
	}
	if j.MaxAge < 0 || j.MaxAge > int64(maxMaxAge/time.Second) {
		return errFlowJSON
	}
	*f = Flow{Secret(j.State), Secret(j.Nonce), Secret(j.CodeVerifier), j.CreatedAt, time.Duration(j.MaxAge) * time.Second}
	return nil
}

// LogValue redacts for log/slog, whose JSON handler would use MarshalJSON.
func (f Flow) LogValue() slog.Value { return slog.StringValue(redacted) }

// AuthCodeURL starts a flow: it returns where to send the browser, and what
// Exchange needs when the browser comes back. PKCE (S256), state and nonce are
// always on. It makes no call.
//
// Options that are not allowed give a [*ConfigError], which never quotes them:
// they often come from a request.
func (c *Client) AuthCodeURL(opts AuthOptions) (string, Flow, error) {
	if c.cfg.RedirectURL == "" {
		return "", Flow{}, &ConfigError{Field: "RedirectURL", Problem: "is required for sign-in"}
	}
	if err := c.checkOptions(opts); err != nil {
		return "", Flow{}, err
	}
	flow := Flow{
		State:        Secret(randomText()),
		Nonce:        Secret(randomText()),
		CodeVerifier: Secret(oauth2.GenerateVerifier()),
		CreatedAt:    c.cfg.Now().UTC().Truncate(time.Second),
		MaxAge:       opts.MaxAge,
	}
	maxAge := ""
	if opts.MaxAge > 0 {
		maxAge = strconv.FormatInt(int64(opts.MaxAge/time.Second), 10)
	}
	params := []oauth2.AuthCodeOption{
		// Cognito does not advertise S256 in its discovery document, so it is
		// not looked up: it is always sent.
		oauth2.S256ChallengeOption(flow.CodeVerifier.Reveal()),
		// Always sent: for a provider's users Cognito invents a nonce where the
		// app sent none.
		oauth2.SetAuthURLParam("nonce", flow.Nonce.Reveal()),
	}
	for _, p := range [...]struct{ name, value string }{
		{"identity_provider", opts.IdentityProvider},
		{"prompt", opts.Prompt},
		{"login_hint", opts.LoginHint},
		{"lang", opts.Lang},
		{"max_age", maxAge},
		{"resource", opts.Resource},
	} {
		if p.value != "" {
			params = append(params, oauth2.SetAuthURLParam(p.name, p.value))
		}
	}
	return c.oauth().AuthCodeURL(flow.State.Reveal(), params...), flow, nil
}

// langTag is the shape of a language tag that managed login can take.
var langTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$`)

func (c *Client) checkOptions(opts AuthOptions) error {
	switch {
	case opts.IdentityProvider != "" && !slices.Contains(c.cfg.IdentityProviders, opts.IdentityProvider):
		return &ConfigError{Field: "AuthOptions.IdentityProvider", Problem: "must be among ClientConfig.IdentityProviders"}
	case opts.IdentityProvider != "" && opts.Prompt == "none":
		return &ConfigError{Field: "AuthOptions.IdentityProvider", Problem: `must be empty with Prompt "none"`}
	case !validPrompt(opts.Prompt):
		return &ConfigError{Field: "AuthOptions.Prompt", Problem: `must be "none", or a list of "login", "select_account" and "consent"`}
	case len(opts.LoginHint) > maxLoginHintLen || !utf8.ValidString(opts.LoginHint) || strings.ContainsFunc(opts.LoginHint, unicode.IsControl):
		return &ConfigError{Field: "AuthOptions.LoginHint", Problem: "must be at most 512 bytes of UTF-8 without control characters"}
	case opts.Lang != "" && !langTag.MatchString(opts.Lang):
		return &ConfigError{Field: "AuthOptions.Lang", Problem: `must be a language tag such as "ko" or "zh-CN"`}
	case opts.MaxAge < 0 || opts.MaxAge > maxMaxAge || opts.MaxAge%time.Second != 0:
		return &ConfigError{Field: "AuthOptions.MaxAge", Problem: "must be 0, or whole seconds up to a year"}
	case opts.Resource != "" && !validResource(opts.Resource):
		return &ConfigError{Field: "AuthOptions.Resource", Problem: "must be a URL of https, of http on localhost, or of a custom scheme, without fragment, of at most 2,048 bytes"}
	}
	return nil
}

// validResource reports whether s is what RFC 8707 §2 and Cognito allow.
func validResource(s string) bool {
	if !printableASCII(s, maxResourceLen) || strings.Contains(s, "#") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "":
		return false
	case "https":
		return u.Hostname() != ""
	case "http":
		return u.Hostname() == "localhost"
	}
	return true
}

func validPrompt(prompt string) bool {
	if prompt == "" || prompt == "none" {
		return true
	}
	seen := map[string]bool{}
	for value := range strings.SplitSeq(prompt, " ") {
		if value != "login" && value != "select_account" && value != "consent" || seen[value] {
			return false
		}
		seen[value] = true
	}
	return true
}
