package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/inspect"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/loopback"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

const loginText = `Signs you in through the browser and gets your tokens, to call an API with while you work on it. It
listens on this machine for the answer (RFC 8252), at --callback, which must be registered with the app
client exactly so; PKCE, state and nonce are always on. Use an app client made for this, and not the one
of an app that people use.

Environment: SSO_USER_POOL_ID, SSO_DOMAIN, SSO_CLIENT_ID, SSO_CLIENT_SECRET or SSO_CLIENT_SECRET_FILE for
a client that has one (there is no flag: everybody on the machine would see it), SSO_SCOPES,
SSO_PROVIDERS, SSO_ISSUERS, SSO_JWKS_URL.

Without --print and --out it says what came, and revokes the refresh token, which nobody could use any
more. --print writes one token to standard output, for a pipe; to a terminal, where it would stay in the
scrollback, only with --force. --out writes all of them to a file that only you can read.

Exit status: 0 signed in; 1 Cognito said no, or its tokens are refused; 2 a mistake in flags or
environment; 3 nobody came in time, or Cognito is out of reach.
`

type loginFlags struct {
	clientFlags
	domain, callback, provider, print, out string
	scopes                                 []string
	noBrowser, force, asJSON               bool
	timeout                                time.Duration
}

const defaultCallback = "http://127.0.0.1:8765/callback"

func (c *cli) loginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use: "login", Short: "get tokens for a developer, through the browser", Long: loginText, Args: noArguments,
		Example: "  ssoctl login\n  ssoctl login --print access | ssoctl token inspect\n  ssoctl login --provider Kakao --out tokens.json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.login(cmd.Context(), f) },
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.domain, "domain", "", "`URL` of the pool's domain (default SSO_DOMAIN)")
	fs.StringVar(&f.callback, "callback", defaultCallback, "`URL` to listen at, as registered with the app client: 127.0.0.1, [::1] or localhost, and a port")
	fs.StringVar(&f.provider, "provider", "", "go straight to this identity provider, such as Kakao")
	fs.StringSliceVar(&f.scopes, "scope", nil, "ask for this `SCOPE`, may be given several times (default SSO_SCOPES, else openid)")
	fs.StringVar(&f.print, "print", "", "write this token to standard output: access, id or refresh")
	fs.StringVar(&f.out, "out", "", "write all tokens to `FILE`, as JSON, with mode 0600")
	fs.BoolVar(&f.force, "force", false, "--print to a terminal too")
	fs.BoolVar(&f.noBrowser, "no-browser", false, "do not open a browser")
	fs.BoolVar(&f.asJSON, "json", false, "print what came as one JSON document, without the tokens")
	fs.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for you, at most 10m")
	return cmd
}

func (c *cli) login(ctx context.Context, f loginFlags) error {
	if err := f.check(c.out); err != nil {
		return err
	}
	client, err := c.oauthClient(f)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	listener, err := loopback.Listen(ctx, f.callback)
	if errors.Is(err, loopback.ErrCallback) {
		return fmt.Errorf("%w: --callback: %w", errUsage, err)
	}
	if err != nil {
		return fmt.Errorf("%w (is another ssoctl waiting, or must --callback have another port?)", err)
	}
	defer func() { _ = listener.Close() }()
	if listener.URL() != f.callback { // Cognito compares the text
		return fmt.Errorf("%w: --callback: expected the form %s, with the port that is registered", errUsage, defaultCallback)
	}
	set, err := c.signIn(ctx, f, client, listener)
	if err != nil {
		return c.notSignedIn(ctx, client, err)
	}
	return c.handOut(ctx, f, client, set)
}

func (f loginFlags) check(out any) error {
	switch f.print {
	case "", "access", "id", "refresh":
	default:
		return fmt.Errorf("%w: --print: expected access, id or refresh", errUsage)
	}
	if f.print != "" && f.asJSON {
		return fmt.Errorf("%w: --print and --json both want standard output: give one of them", errUsage)
	}
	if file, ok := out.(*os.File); ok && f.print != "" && !f.force && term.IsTerminal(int(file.Fd())) { //nolint:gosec // a file descriptor is small
		return fmt.Errorf("%w: --print would leave the token on the terminal: pipe it, or use --out; --force prints it", errUsage)
	}
	if f.timeout <= 0 || f.timeout > 10*time.Minute {
		return fmt.Errorf("%w: --timeout: expected up to 10m, which is how long a sign-in may take", errUsage)
	}
	return nil
}

// oauthClient is the app's configuration, with the callback of this machine.
func (c *cli) oauthClient(f loginFlags) (*sso.Client, error) {
	environ := f.over(c.environ)
	if f.domain != "" {
		environ = append(environ, "SSO_DOMAIN="+f.domain)
	}
	cfg, clientErr := sso.ClientConfigFromEnv(environ)
	verifying, err := sso.ConfigFromEnv(environ)
	if err := errors.Join(clientErr, err); err != nil {
		return nil, err
	}
	verifying.TokenMemory = -1
	if cfg.Verifier, err = sso.NewVerifier(verifying); err != nil {
		return nil, err
	}
	cfg.RedirectURL, cfg.LogoutURL = f.callback, ""
	if len(f.scopes) > 0 {
		cfg.Scopes = f.scopes
	}
	if f.provider != "" {
		cfg.IdentityProviders = []string{f.provider}
	}
	return sso.NewClient(cfg)
}

// signIn sends the browser off and waits for it.
func (c *cli) signIn(ctx context.Context, f loginFlags, client *sso.Client, listener *loopback.Listener) (*sso.TokenSet, error) {
	address, flow, err := client.AuthCodeURL(sso.AuthOptions{IdentityProvider: f.provider})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	_, _ = fmt.Fprintf(c.err, "Sign in with your browser at:\n\n  %s\n\nWaiting for %v at %s\n", address, f.timeout, listener.URL())
	if !f.noBrowser {
		c.browse(ctx, address)
	}
	var set *sso.TokenSet
	err = listener.Wait(ctx, flow.State.Reveal(), func(ctx context.Context, answer url.Values) (err error) {
		set, err = client.Exchange(ctx, flow, answer)
		return err
	})
	return set, err
}

// browse opens the person's browser. Where that fails, the address is printed
// already.
func (c *cli) browse(ctx context.Context, address string) {
	opener := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if opener == nil {
		opener = []string{"xdg-open"}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), opener[0], append(opener[1:], address)...) //nolint:gosec // an address made here, and no shell
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintln(c.err, "ssoctl: no browser could be opened: copy the address")
		return
	}
	go func() { _ = cmd.Wait() }()
}

// notSignedIn tells a no from not knowing, and leaves no token behind.
func (c *cli) notSignedIn(ctx context.Context, client *sso.Client, err error) error {
	if unverified, ok := errors.AsType[*sso.UnverifiedError](err); ok {
		c.revoke(ctx, client, unverified.Refresh)
	}
	switch {
	case errors.Is(err, errUsage):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("nobody signed in in time")
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, sso.ErrUnavailable), errors.Is(err, sso.ErrKeysUnavailable):
		return err
	}
	_, _ = fmt.Fprintf(c.err, "ssoctl: not signed in: %v\n", err)
	return errDrift
}

// revoke ends a refresh token that nobody will have.
func (c *cli) revoke(ctx context.Context, client *sso.Client, refresh sso.Secret) {
	if refresh == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := client.Revoke(ctx, refresh); err != nil {
		_, _ = fmt.Fprintf(c.err, "ssoctl: warning: the refresh token could not be revoked: %v\n", err)
	}
}

// handOut gives the tokens to where they were asked for.
func (c *cli) handOut(ctx context.Context, f loginFlags, client *sso.Client, set *sso.TokenSet) error {
	if f.out != "" {
		if err := writeTokens(f.out, set); err != nil {
			c.revoke(ctx, client, set.Refresh)
			return fmt.Errorf("--out: %w", err)
		}
		_, _ = fmt.Fprintf(c.err, "ssoctl: the tokens are in %s\n", f.out)
	}
	if f.print != "" {
		raw := map[string]sso.Secret{"access": set.RawAccess, "id": set.RawID, "refresh": set.Refresh}[f.print]
		if raw == "" {
			return errors.New("--print: Cognito gave no such token")
		}
		_, err := fmt.Fprintln(c.out, raw.Reveal())
		return err
	}
	if f.out == "" {
		c.revoke(ctx, client, set.Refresh)
	}
	if f.asJSON {
		return c.safeJSON(loginDocument(set, f.out))
	}
	return c.printLogin(set, f.out != "")
}

// writeTokens replaces the file as a whole: nobody else can read it at any
// moment, whatever the mode of one that was there.
func writeTokens(path string, set *sso.TokenSet) error {
	text, err := json.MarshalIndent(map[string]any{
		"access_token": set.RawAccess.Reveal(), "id_token": set.RawID.Reveal(), "refresh_token": set.Refresh.Reveal(),
		"expires_at": set.Access.ExpiresAt,
	}, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".ssoctl-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

func (c *cli) printLogin(set *sso.TokenSet, kept bool) error {
	text := &bytes.Buffer{}
	_, _ = fmt.Fprintf(text, "Signed in to client %s\n\n", set.Access.ClientID)
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TOKEN\tEXPIRES\tSAYS")
	_, _ = fmt.Fprintf(w, "access\t%s\t%s\n", expires(set.Access), says("scopes", set.Access.Scopes())+says("; groups", set.Access.Groups()))
	_, _ = fmt.Fprintf(w, "id\t%s\t%s\n", expires(set.ID), userIDText(set.ID.UserID))
	refresh := "none came"
	switch {
	case set.Refresh != "" && kept:
		refresh = "kept in the file"
	case set.Refresh != "":
		refresh = "revoked: --print and --out hand tokens out"
	}
	_, _ = fmt.Fprintf(w, "refresh\t-\t%s\n", refresh)
	_ = w.Flush()
	_, err := c.out.Write(withoutTrailingSpace(text.Bytes()))
	return err
}

func expires(t sso.Token) string {
	return t.ExpiresAt.Format(time.RFC3339) + ", in " + inspect.Span(time.Until(t.ExpiresAt))
}

func says(what string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	return what + " " + termtext.Printable(strings.Join(list, " "), 200)
}

func userIDText(id sso.UserID) string {
	if id == "" {
		return "no user id: the pool's trigger did not write one"
	}
	return "user id " + termtext.Printable(id.String(), 200)
}

func loginDocument(set *sso.TokenSet, file string) any {
	return struct {
		ClientID      string    `json:"client_id"`
		AccessExpires time.Time `json:"access_expires_at"`
		IDExpires     time.Time `json:"id_expires_at"`
		Scopes        []string  `json:"scopes"`
		Groups        []string  `json:"groups"`
		UserID        string    `json:"user_id,omitempty"`
		File          string    `json:"file,omitempty"`
	}{set.Access.ClientID, set.Access.ExpiresAt, set.ID.ExpiresAt, set.Access.Scopes(), set.Access.Groups(), set.ID.UserID.String(), file}
}
