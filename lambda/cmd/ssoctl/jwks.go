package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/inspect"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

const jwksText = `Fetches the pool's key set and lists its keys: which of them an app can verify tokens with, and why not
the others. It is fetched as an app does it: no redirect is followed, and there are 5 seconds and 1 MiB.

Which set: --url or --file, else SSO_JWKS_URL, else that of the first of SSO_ISSUERS, else that of the
pool, SSO_USER_POOL_ID or --pool.

Exit status: 0 a key is usable; 1 none is; 2 a mistake in flags or environment; 3 there is no answer.
`

type jwksFlags struct {
	pool, url, file string
	asJSON          bool
}

func (c *cli) jwksCommand() *cobra.Command {
	var f jwksFlags
	cmd := &cobra.Command{
		Use: "jwks", Short: "list the pool's keys, and say which are usable", Long: jwksText, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.jwks(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.pool, "pool", "", "id of the user pool (default SSO_USER_POOL_ID)")
	cmd.Flags().StringVar(&f.url, "url", "", "fetch this `URL` instead")
	cmd.Flags().StringVar(&f.file, "file", "", "read `FILE` instead")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON document")
	return cmd
}

func (c *cli) jwks(ctx context.Context, f jwksFlags) error {
	set, err := c.keyDocument(ctx, f)
	if err != nil {
		return err
	}
	keys, err := jose.Describe(set.body)
	if err != nil {
		return fmt.Errorf("%s: %w", termtext.Printable(set.from, 0), err)
	}
	usable := 0
	for _, k := range keys {
		if k.Problem == nil {
			usable++
		}
	}
	if f.asJSON {
		err = c.safeJSON(jwksDocument(set, keys, usable))
	} else {
		err = c.printKeys(set, keys, usable)
	}
	if err == nil && usable == 0 {
		err = errDrift
	}
	return err
}

// keyDocument is a key set as it came.
type keyDocument struct {
	from string // URL or file
	body []byte
	// Of the answer's headers, zero if they do not say: how long ago it was made
	// for somebody else, how long it may be kept, and when it was last changed.
	age, maxAge time.Duration
	modified    time.Time
}

func (c *cli) keyDocument(ctx context.Context, f jwksFlags) (keyDocument, error) {
	if f.pool != "" && f.url != "" || f.file != "" && f.pool+f.url != "" {
		return keyDocument{}, fmt.Errorf("%w: --pool, --url and --file each name a key set: give one of them", errUsage)
	}
	if f.file != "" {
		body, err := os.ReadFile(f.file)
		if err != nil {
			return keyDocument{}, fmt.Errorf("%w: --file: %w", errUsage, err)
		}
		return keyDocument{from: f.file, body: body}, nil
	}
	url, err := c.keysURL(f)
	if err != nil {
		return keyDocument{}, err
	}
	return fetchKeys(ctx, url)
}

// keysURL is where the verifier would fetch; what a verifier refuses, is
// refused here too.
func (c *cli) keysURL(f jwksFlags) (string, error) {
	environ := append(append([]string{}, c.environ...), "SSO_CLIENT_ID=any", "SSO_CLIENT_IDS=") // keys are of the pool
	if f.pool != "" {
		environ = append(environ, "SSO_USER_POOL_ID="+f.pool, "SSO_JWKS_URL=", "SSO_ISSUERS=")
	}
	if f.url != "" {
		environ = append(environ, "SSO_USER_POOL_ID=any_any", "SSO_JWKS_URL="+f.url)
	}
	cfg, err := sso.ConfigFromEnv(environ)
	if err == nil {
		_, err = sso.NewVerifier(cfg)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	if cfg.JWKSURL != "" {
		return cfg.JWKSURL, nil
	}
	region := cfg.UserPoolID[:strings.LastIndexByte(cfg.UserPoolID, '_')]
	issuer := "https://cognito-idp." + region + ".amazonaws.com/" + cfg.UserPoolID
	if len(cfg.Issuers) > 0 {
		issuer = cfg.Issuers[0]
	}
	return strings.TrimSuffix(issuer, "/") + "/.well-known/jwks.json", nil
}

// fetchKeys asks as internal/keyset does, and keeps what it throws away.
func fetchKeys(ctx context.Context, url string) (keyDocument, error) {
	ctx, cancel := context.WithTimeout(ctx, keyset.DefaultTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return keyDocument{}, fmt.Errorf("%w: the URL of the keys cannot be used", errUsage)
	}
	req.Header.Set("Accept", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return keyDocument{}, fmt.Errorf("the keys cannot be had: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return keyDocument{}, fmt.Errorf("the keys cannot be had: %s answered %d%s", url, res.StatusCode, redirected(res.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, keyset.MaxBytes+1))
	if err != nil {
		return keyDocument{}, fmt.Errorf("the keys cannot be had: %w", err)
	}
	if len(body) > keyset.MaxBytes {
		return keyDocument{}, fmt.Errorf("the keys cannot be had: %s answered more than %d bytes", url, keyset.MaxBytes)
	}
	d := keyDocument{from: url, body: body, age: seconds(res.Header.Get("Age")), maxAge: maxAge(res.Header.Get("Cache-Control"))}
	d.modified, _ = http.ParseTime(res.Header.Get("Last-Modified"))
	return d, nil
}

func redirected(status int) string {
	if status >= 300 && status < 400 {
		return ", a redirect, which no app follows"
	}
	return ""
}

// maxAge is the one of a Cache-Control header.
func maxAge(header string) time.Duration {
	for part := range strings.SplitSeq(header, ",") {
		if value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "max-age="); ok {
			return seconds(value)
		}
	}
	return 0
}

func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// why is a problem as this program says it.
func why(problem error) string {
	if problem == nil {
		return ""
	}
	return strings.TrimPrefix(problem.Error(), "jose: ")
}

func (c *cli) printKeys(set keyDocument, keys []jose.Info, usable int) error {
	text := &bytes.Buffer{}
	_, _ = fmt.Fprintf(text, "%s: %s, %d usable\n", termtext.Printable(set.from, 0), counted(int64(len(keys)), "key", "keys"), usable)
	if fresh := set.freshness(); fresh != "" {
		_, _ = fmt.Fprintln(text, fresh)
	}
	_, _ = fmt.Fprintln(text)
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "KID\tALG\tUSE\tTYPE\tBITS\tUSABLE")
	for _, k := range keys {
		verdict := "yes"
		if k.Problem != nil {
			verdict = "no: " + why(k.Problem)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cell(k.KeyID), cell(k.Algorithm), cell(k.Use), cell(k.Type), cell(bits(k.Bits)), verdict)
	}
	_ = w.Flush()
	if usable == 0 {
		_, _ = fmt.Fprintln(text, "\nNo key is usable: an app that starts now can verify no token.")
	}
	_, err := c.out.Write(withoutTrailingSpace(text.Bytes()))
	return err
}

func cell(text string) string { return cmp.Or(termtext.Printable(text, 80), "-") }

func bits(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// freshness says what the headers say of the answer's age.
func (d keyDocument) freshness() string {
	var parts []string
	if d.age > 0 {
		parts = append(parts, "made "+inspect.Span(d.age)+" ago")
	}
	if d.maxAge > 0 {
		parts = append(parts, "may be kept for "+inspect.Span(d.maxAge))
	}
	if !d.modified.IsZero() {
		parts = append(parts, "changed "+d.modified.UTC().Format(time.RFC3339))
	}
	return strings.Join(parts, ", ")
}

func jwksDocument(set keyDocument, keys []jose.Info, usable int) any {
	type key struct {
		KeyID     string `json:"kid"`
		Algorithm string `json:"alg"`
		Use       string `json:"use"`
		Type      string `json:"kty"`
		Bits      int    `json:"bits"`
		Usable    bool   `json:"usable"`
		Problem   string `json:"problem,omitempty"`
	}
	list := []key{}
	for _, k := range keys {
		list = append(list, key{k.KeyID, k.Algorithm, k.Use, k.Type, k.Bits, k.Problem == nil, why(k.Problem)})
	}
	return struct {
		From     string     `json:"from"`
		Usable   int        `json:"usable"`
		Age      float64    `json:"age_seconds,omitempty"`
		MaxAge   float64    `json:"max_age_seconds,omitempty"`
		Modified *time.Time `json:"modified,omitempty"`
		Keys     []key      `json:"keys"`
	}{set.from, usable, set.age.Seconds(), set.maxAge.Seconds(), notZero(set.modified), list}
}

func notZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
