package sso_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// attempt is a row of the adversarial table: how a token is made, and which
// sentinel refuses it, nil if it is good.
type attempt struct {
	name   string
	want   error
	edit   func(f *forge)                    // changes the token before it is signed
	text   func(token string) string         // changes it afterwards
	config func(cfg *sso.Config)             // changes who looks at it
	check  func(t *testing.T, tok sso.Token) // looks at a good one
}

// sentinels are all that a Verify method may return.
var sentinels = []error{
	sso.ErrMissing, sso.ErrMalformed, sso.ErrTooLarge, sso.ErrAlgorithm, sso.ErrKeyID,
	sso.ErrUnknownKey, sso.ErrSignature, sso.ErrExpired, sso.ErrNotYetValid, sso.ErrIssuer,
	sso.ErrTokenUse, sso.ErrClient, sso.ErrUserID, sso.ErrClaim, sso.ErrKeysUnavailable,
}

// offline are the refusals that must cost the key server nothing.
var offline = []error{
	sso.ErrMissing, sso.ErrMalformed, sso.ErrTooLarge, sso.ErrAlgorithm, sso.ErrKeyID,
	sso.ErrIssuer, sso.ErrTokenUse, sso.ErrClient, sso.ErrExpired,
}

func TestVerifyAccessTable(t *testing.T) {
	t.Parallel()
	runTable(t, goodAccess, (*sso.Verifier).VerifyAccess,
		formAttempts(), jsonAttempts(), headerAttempts(), signatureAttempts(),
		issuerAttempts(), accessUseAttempts(), timeAttempts(), subjectAttempts(),
		userIDAttempts(), accessClaimAttempts(), precedenceAttempts())
}

func TestVerifyIDTable(t *testing.T) {
	t.Parallel()
	runTable(t, goodID, (*sso.Verifier).VerifyID,
		idUseAttempts(), issuerAttempts(), timeAttempts(), subjectAttempts(),
		userIDAttempts(), idClaimAttempts())
}

func runTable(t *testing.T, good func() *forge,
	verify func(*sso.Verifier, context.Context, string) (sso.Token, error), tables ...[]attempt,
) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range slices.Concat(tables...) {
		if seen[a.name] {
			t.Errorf("two rows are called %q", a.name)
		}
		seen[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			f := good()
			if a.edit != nil {
				a.edit(f)
			}
			token := f.token()
			if a.text != nil {
				token = a.text(token)
			}
			server := serve(poolKeys())
			cfg := config(server)
			if a.config != nil {
				a.config(&cfg)
			}
			v, err := sso.NewVerifier(cfg)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := verify(v, t.Context(), token)
			checkOutcome(t, a.want, tok, err, token)
			if slices.Contains(offline, a.want) && server.fetches.Load() != 0 {
				t.Errorf("the key server was asked %d times", server.fetches.Load())
			}
			if err == nil && a.check != nil {
				a.check(t, tok)
			}
			if _, again := verify(v, t.Context(), token); !errors.Is(again, a.want) {
				t.Errorf("the second time: %v", again)
			}
		})
	}
}

// checkOutcome checks what holds for every outcome.
func checkOutcome(t *testing.T, want error, tok sso.Token, err error, token string) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if tok.Subject == "" || tok.ClientID == "" || tok.Use == "" || tok.ExpiresAt.IsZero() || tok.Issuer == "" {
			t.Errorf("half a token: %+v", tok)
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted; want %v", want)
	}
	for _, s := range sentinels {
		if errors.Is(err, s) != errors.Is(want, s) {
			t.Errorf("error is %q; want exactly %q", err, want)
		}
	}
	secretscan.Saw("an error of Verifier", err.Error())
	if r := sso.ReasonOf(err); r == "ok" || r == "other" {
		t.Errorf("reason is %q", r)
	}
	if !reflect.DeepEqual(tok, sso.Token{}) {
		t.Error("a token came with the error")
	}
	if strings.Contains(strings.ToLower(err.Error()), canaryInText) || strings.Contains(err.Error(), subject) {
		t.Errorf("error shows claim text: %v", err)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("error shows token text: %v", err)
		}
	}
}
