package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/inspect"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// group is a command that only has commands. What it is given instead is not
// repeated: it may be a token.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%w: there is no such command (\"%s --help\" lists them)", errUsage, cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _ = fmt.Fprint(cmd.ErrOrStderr(), cmd.UsageString())
			return errUsage
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

func (c *cli) tokenCommand() *cobra.Command {
	return group("token", "say what is in a token, and whether it is good", c.tokenInspectCommand())
}

// clientFlags say which tokens are good; they come before the environment.
type clientFlags struct {
	pool    string
	clients []string
}

func (f *clientFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.pool, "pool", "", "id of the user pool (default SSO_USER_POOL_ID)")
	cmd.Flags().StringSliceVar(&f.clients, "client", nil, "`ID` of the app client, may be given several times (default SSO_CLIENT_ID)")
}

// over is the environment with the flags in their variables.
func (f clientFlags) over(environ []string) []string {
	environ = append([]string{}, environ...)
	if f.pool != "" {
		environ = append(environ, "SSO_USER_POOL_ID="+f.pool)
	}
	if len(f.clients) > 0 {
		environ = append(environ, "SSO_CLIENT_ID="+f.clients[0], "SSO_CLIENT_IDS="+strings.Join(f.clients[1:], ","))
	}
	return environ
}

const tokenInspectText = `Reads one token from standard input, decodes it, verifies it as an app does, and says of each check how
it ended. Not from an argument: those are in the shell's history, and every user of the machine sees
them in the list of processes. The token itself and its signature are not printed, and of the claims
only those that say nothing about a person, unless with --show-personal.

Which tokens are good is said by the variables of an app: SSO_USER_POOL_ID, SSO_CLIENT_ID, SSO_CLIENT_IDS,
SSO_ISSUERS, SSO_JWKS_URL, SSO_USER_ID_ATTRIBUTE, SSO_USER_ID_KIND. Without a pool the token is decoded
only, and anybody may have written it.

Exit status: 0 the token is good; 1 it is refused; 2 a mistake in flags or environment, or no token
came; 3 nobody can tell: no pool is configured, or its keys are out of reach.
`

type inspectFlags struct {
	clientFlags
	jwksFile, use        string
	showPersonal, asJSON bool
}

func (c *cli) tokenInspectCommand() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use: "inspect", Short: "decode and verify the token on standard input", Long: tokenInspectText,
		Example: "  pbpaste | ssoctl token inspect\n  ssoctl login --print access | ssoctl token inspect --use access",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 { // which is not repeated: it may be a token
				return fmt.Errorf("%w: the token is read from standard input only: an argument stays in the shell's history, and every "+
					"user of this machine sees it. If that was a token, it is no secret any more", errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return c.tokenInspect(cmd.Context(), cmd.InOrStdin(), f) },
	}
	f.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.jwksFile, "jwks-file", "", "take the pool's keys from `FILE`, and make no connection")
	fs.StringVar(&f.use, "use", "", "the kind of token that is good, access or id (default either)")
	fs.BoolVar(&f.showPersonal, "show-personal", false, "show every claim, personal data too")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	return cmd
}

func (c *cli) tokenInspect(ctx context.Context, in io.Reader, f inspectFlags) error {
	if f.use != "" && f.use != string(sso.UseAccess) && f.use != string(sso.UseID) {
		return fmt.Errorf("%w: --use: expected access or id", errUsage)
	}
	cfg, configured, err := c.tokenConfig(f)
	if err != nil {
		return err
	}
	raw, err := c.readToken(in)
	if err != nil {
		return err
	}
	r := inspection{Decoded: inspect.Decode(raw), now: time.Now(), userIDClaim: cfg.UserIDClaim}
	if r.userIDClaim == "" {
		r.userIDClaim = "custom:userId"
	}
	r.verified = configured
	if configured {
		if r.err, err = verdict(ctx, cfg, raw, sso.TokenUse(f.use)); err != nil {
			return err
		}
		r.checks = r.Checks(cfg, r.err, r.now)
	} else {
		r.checks = r.Unverified(r.now)
	}
	if f.asJSON {
		err = c.inspectionJSON(r, f.showPersonal)
	} else {
		err = c.printInspection(r, f.showPersonal)
	}
	if err != nil {
		return err
	}
	return r.status()
}

// tokenConfig is what the app would verify with. It reports false if no pool
// is named at all.
func (c *cli) tokenConfig(f inspectFlags) (cfg sso.Config, configured bool, err error) {
	environ := f.over(c.environ)
	named := false
	for _, kv := range environ {
		value, is := strings.CutPrefix(kv, "SSO_USER_POOL_ID=")
		named = is && strings.TrimSpace(value) != "" || named && !is
	}
	if !named {
		if f.jwksFile != "" || len(f.clients) > 0 {
			return cfg, false, fmt.Errorf("%w: --client and --jwks-file verify nothing without a pool: give --pool too", errUsage)
		}
		return cfg, false, nil
	}
	cfg, err = sso.ConfigFromEnv(environ)
	if err != nil {
		return cfg, true, fmt.Errorf("%w: %w (flags --pool and --client say the same)", errUsage, err)
	}
	if f.jwksFile != "" {
		cfg.JWKSURL = ""
		if cfg.JWKS, err = os.ReadFile(f.jwksFile); err != nil {
			return cfg, true, fmt.Errorf("%w: --jwks-file: %w", errUsage, err)
		}
		cfg.JWKS = append([]byte{}, cfg.JWKS...) // not nil, which means to fetch
	}
	cfg.ExposeExpired, cfg.TokenMemory = true, -1
	return cfg, true, nil
}

// verdict is what the verifier says of the token, and apart from it what it
// says of cfg.
func verdict(ctx context.Context, cfg sso.Config, raw string, use sso.TokenUse) (judged, err error) {
	v, err := sso.NewVerifier(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch use {
	case sso.UseAccess:
		_, judged = v.VerifyAccess(ctx, raw)
	case sso.UseID:
		_, judged = v.VerifyID(ctx, raw)
	default:
		_, judged = v.Verify(ctx, raw)
	}
	return judged, nil
}

// maxInput is above the longest token that a verifier can be set to.
const maxInput = 128 << 10

// readToken reads one word. No error quotes it.
func (c *cli) readToken(in io.Reader) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is small
		_, _ = fmt.Fprintln(c.err, "ssoctl: paste the token, then Enter and Ctrl-D")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	words := strings.Fields(string(text))
	switch {
	case len(words) == 0:
		return "", fmt.Errorf("%w: there is no token on standard input", errUsage)
	case len(text) > maxInput:
		return "", fmt.Errorf("%w: there are more than %d bytes on standard input, which is no token", errUsage, maxInput)
	case len(words) > 1:
		return "", fmt.Errorf("%w: there are several words on standard input: give the token alone, without \"Bearer\"", errUsage)
	}
	return words[0], nil
}

// inspection is what is said about a token.
type inspection struct {
	inspect.Decoded
	verified    bool
	err         error // the verifier's
	checks      []inspect.Check
	now         time.Time
	userIDClaim string
}

// undecided is an answer that says nothing about the token.
func (r inspection) undecided() bool {
	return !r.verified || errors.Is(r.err, sso.ErrKeysUnavailable) || errors.Is(r.err, context.Canceled) || errors.Is(r.err, context.DeadlineExceeded)
}

// status is the error that makes the exit status; its text is printed already.
func (r inspection) status() error {
	switch {
	case r.undecided():
		return errUndecided
	case r.err != nil:
		return errDrift
	}
	return nil
}

// errUndecided: the command did what it could, and cannot say yes or no.
var errUndecided = errors.New("nobody can tell whether this token is good")

func (r inspection) headline() string {
	switch {
	case !r.verified:
		return "NOT VERIFIED: no pool is configured, so anybody may have written this token (--pool and --client verify it)"
	case r.undecided():
		return "NOT VERIFIED: " + r.err.Error()
	case r.err != nil:
		return fmt.Sprintf("REFUSED (%s): %v", sso.ReasonOf(r.err), r.err)
	}
	return "GOOD: it passes every check"
}

const refreshText = "It looks like a refresh token: those are encrypted for Cognito, and nobody else can read or verify one.\n" +
	"Whoever has it can get new tokens, so keep it as you would a password.\n"

func (c *cli) printInspection(r inspection, personal bool) error {
	text := &bytes.Buffer{}
	_, _ = fmt.Fprintln(text, r.headline())
	if r.RefreshToken() {
		_, _ = fmt.Fprint(text, refreshText)
	}
	_, _ = fmt.Fprintln(text)
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "CHECK\tOUTCOME\tIN THE TOKEN")
	for _, check := range r.checks {
		found := check.Found
		if check.Outcome == inspect.Refused && check.Want != "" {
			found += "; expected: " + check.Want
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", check.Name, check.Outcome, found)
	}
	_ = w.Flush()
	_, _ = fmt.Fprintln(text)
	printClaims(text, r, personal)
	_, err := c.out.Write(withoutTrailingSpace(text.Bytes()))
	return err
}

func printClaims(text io.Writer, r inspection, personal bool) {
	if r.Payload == nil {
		_, _ = fmt.Fprintln(text, "The claims cannot be read.")
		return
	}
	heading := "CLAIM"
	if r.err != nil || !r.verified {
		heading = "CLAIM (not to be trusted)"
	}
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, heading+"\tVALUE")
	hidden := false
	for _, m := range r.Payload {
		value := m.Text(r.now)
		if !personal && m.Personal(r.userIDClaim) {
			value, hidden = "(hidden)", true
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\n", termtext.Printable(m.Name, 80), value)
	}
	_ = w.Flush()
	if hidden {
		_, _ = fmt.Fprintln(text, "\n--show-personal shows what is hidden.")
	}
}

// withoutTrailingSpace takes away what tabwriter puts behind an empty cell.
func withoutTrailingSpace(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}

func (c *cli) inspectionJSON(r inspection, personal bool) error {
	claims, hidden := map[string]json.RawMessage{}, []string{}
	for _, m := range r.Payload {
		if !personal && m.Personal(r.userIDClaim) {
			hidden = append(hidden, m.Name)
			continue
		}
		claims[m.Name] = json.RawMessage(m.JSON)
	}
	document := struct {
		Verified     bool                       `json:"verified"` // true if there is a verdict
		OK           bool                       `json:"ok"`
		Reason       sso.Reason                 `json:"reason,omitempty"`
		Error        string                     `json:"error,omitempty"`
		RefreshToken bool                       `json:"refresh_token,omitempty"`
		Checks       []inspect.Check            `json:"checks"`
		Claims       map[string]json.RawMessage `json:"claims"`
		Hidden       []string                   `json:"hidden"`
	}{!r.undecided(), r.status() == nil, "", "", r.RefreshToken(), r.checks, claims, hidden}
	if r.verified {
		document.Reason = sso.ReasonOf(r.err)
	}
	if r.err != nil {
		document.Error = r.err.Error()
	}
	return c.safeJSON(document)
}

// safeJSON prints one document that has text of others in it.
func (c *cli) safeJSON(v any) error {
	text := &bytes.Buffer{}
	if err := (&cli{out: text}).json(v); err != nil {
		return err
	}
	_, err := c.out.Write(termtext.JSON(text.Bytes()))
	return err
}
