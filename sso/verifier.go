package sso

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

// Verifier checks Cognito tokens. It is safe for concurrent use; make one for
// each pool and keep it, since it holds the keys.
//
// A token must pass every check. They run in this order, and the first that
// fails decides the error, so the same token gets the same error every time:
//
//  1. It is there ([ErrMissing]), not too large ([ErrTooLarge]), and a compact
//     JWS in canonical base64url ([ErrMalformed]).
//  2. The header is a strict JSON object ([ErrMalformed]), alg is RS256 and
//     there is no crit, b64 or zip ([ErrAlgorithm]), and there is a kid
//     ([ErrKeyID]).
//  3. The payload is a strict JSON object ([ErrMalformed]).
//  4. iss is one of the configured issuers, exactly ([ErrIssuer]).
//  5. token_use is the one asked for ([ErrTokenUse]).
//  6. aud of an ID token, client_id of an access token, is one of the
//     configured clients ([ErrClient]).
//  7. exp is a date ([ErrClaim]) and not past ([ErrExpired]).
//  8. The issuer has the key ([ErrUnknownKey], [ErrKeysUnavailable], or the
//     context's error), and the signature verifies ([ErrSignature]).
//  9. iat is a date ([ErrClaim]), not more than Leeway and 5 minutes ahead
//     ([ErrNotYetValid]), not after exp, and at most 24 hours and Leeway
//     before it ([ErrClaim]); then nbf ([ErrClaim], [ErrNotYetValid]) and
//     auth_time ([ErrClaim]), if there.
//  10. sub, cognito:groups and scope ([ErrClaim]), the user id ([ErrUserID]),
//     then username, email, name, jti, origin_jti, nonce, at_hash and
//     identities ([ErrClaim]) have their documented types.
//
// Steps 4 to 7 read claims that are not verified yet. They only ever refuse:
// so a token that is foreign, expired or of the wrong kind never causes a
// call to the key server (Config.ExposeExpired makes an exception of expired
// ones). What is handed out is read from the same bytes that
// the signature was then checked over.
//
// A token that passed is remembered (see Config.TokenMemory), and the same text
// is answered without doing all that again: only what may have changed is
// looked at, which is the time, the issuer's keys and the use asked for. The
// outcome is the same as without that memory.
//
// A token that was revoked, or whose user signed out everywhere, is accepted
// until it expires: nothing in it says so. Keep access tokens short-lived
// where that matters.
type Verifier struct {
	cfg     Config // complete; never changed
	sources []issuer
	memory  *tokenMemory // nil for none
}

// NewVerifier checks cfg and returns a Verifier. It fetches nothing: the
// first token does, or [Verifier.Preload]. Its error is [ErrConfig] and holds
// a [ConfigError] for every mistake at once.
func NewVerifier(cfg Config) (*Verifier, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Verifier{cfg: cfg, sources: makeIssuers(cfg), memory: newMemory(cfg)}, nil
}

// VerifyAccess verifies an access token, which is what an API should be
// called with. The error says which check failed; see [Verifier]. The context
// only bounds the wait for keys that are not at hand.
//
// It does not check scopes or groups, nor that there is a UserID.
func (v *Verifier) VerifyAccess(ctx context.Context, raw string) (Token, error) {
	return v.verify(ctx, raw, UseAccess)
}

// VerifyID verifies an ID token, which tells an app who signed in. It is
// otherwise like [Verifier.VerifyAccess]. It does not check the nonce:
// [Client.Exchange] does.
func (v *Verifier) VerifyID(ctx context.Context, raw string) (Token, error) {
	return v.verify(ctx, raw, UseID)
}

// Verify verifies a token of either use; Token.Use says which it is. Prefer
// [Verifier.VerifyAccess] or [Verifier.VerifyID] unless both are meant: an
// API that takes either takes tokens that were never meant for it.
func (v *Verifier) Verify(ctx context.Context, raw string) (Token, error) {
	return v.verify(ctx, raw, "")
}

// verify verifies a token of the given use, "" for either, and tells the
// observer.
func (v *Verifier) verify(ctx context.Context, raw string, want TokenUse) (Token, error) {
	if v.cfg.Observer == nil {
		if t := v.recall(raw, want); t != nil {
			return *t, nil
		}
		return v.verifyAnew(ctx, raw, want)
	}
	began := time.Now()
	if t := v.recall(raw, want); t != nil {
		v.cfg.Observer.Verified(ctx, VerifyEvent{Use: t.Use, Reason: ReasonOf(nil), Duration: time.Since(began), Remembered: true})
		return *t, nil
	}
	t, err := v.verifyAnew(ctx, raw, want)
	if err == nil {
		want = t.Use
	}
	v.cfg.Observer.Verified(ctx, VerifyEvent{Use: want, Reason: ReasonOf(err), Duration: time.Since(began)})
	return t, err
}

// verifyAnew does every check, and remembers a token that passes.
func (v *Verifier) verifyAnew(ctx context.Context, raw string, want TokenUse) (Token, error) {
	s, ok := scratches.Get().(*scratch)
	if !ok {
		panic("sso: pool of scratches holds something else") // cannot be
	}
	defer scratches.Put(s)
	parts, err := parseCompact(raw, v.cfg.MaxTokenSize, s)
	if err != nil {
		return Token{}, err
	}
	c, err := parseClaims(parts.payload, v.cfg.UserIDClaim)
	if err != nil {
		return Token{}, err
	}
	now := v.now()
	t, source, err := v.screen(&c, want, now)
	if v.cfg.ExposeExpired && errors.Is(err, ErrExpired) {
		return Token{}, v.expired(ctx, t, source, parts, &c, now)
	}
	if err != nil {
		return Token{}, err
	}
	key, generation, settled, err := source.key(ctx, parts.kid, now)
	if err != nil {
		return Token{}, keysError(err)
	}
	from, err := v.prove(&t, key, parts, &c, now)
	if err != nil {
		return Token{}, err
	}
	if settled {
		v.remember(raw, &remembered{t, source, generation, from, t.ExpiresAt.Add(v.cfg.Leeway)}, now)
	}
	return t, nil
}

// prove checks the signature and, after it, what screen did not look at, and
// completes t with it. It returns since when the token has been good.
func (v *Verifier) prove(t *Token, key *jose.Key, parts compact, c *claims, now time.Time) (from time.Time, err error) {
	if key.Verify(parts.signingInput, parts.signature) != nil {
		return from, ErrSignature // no refetch: the key of this id is known
	}
	// c and t were read from parts.payload, and the signature covers its
	// only encoding: what follows is verified text.
	if from, err = c.times(t, now, v.cfg.Leeway); err != nil {
		return from, err
	}
	if err := c.fill(t, v.cfg.UserIDKind); err != nil {
		return from, err
	}
	t.payload = parts.payload
	return from, nil
}

// screen does the cheap checks on claims that are not verified yet, and
// returns whose keys to verify them with. The Token has what they looked at.
// Both are there beside ErrExpired too, and with no other error.
func (v *Verifier) screen(c *claims, want TokenUse, now time.Time) (Token, *issuer, error) {
	source := v.source(c.iss)
	if source == nil {
		return Token{}, nil, ErrIssuer
	}
	use, ok := c.use()
	if !ok {
		return Token{}, nil, fmt.Errorf("%w: token_use is neither access nor id", ErrTokenUse)
	}
	if want != "" && use != want {
		return Token{}, nil, fmt.Errorf("%w: an %s token where an %s token is needed", ErrTokenUse, use, want)
	}
	client, ok := c.client(use)
	if !ok || !v.allows(client) {
		return Token{}, nil, ErrClient
	}
	var err error
	exp, ok := numericDate(c.exp)
	if !ok {
		return Token{}, nil, badClaim("exp", "is missing or no date")
	}
	if !now.Before(exp.Add(v.cfg.Leeway)) {
		err = ErrExpired
	}
	return Token{Use: use, Issuer: source.name, ClientID: client, ExpiresAt: exp}, source, err
}

// Preload fetches the keys of every issuer, at once, so that the first token
// need not wait; it always asks. It returns [ErrKeysUnavailable] if one
// cannot be had, and the context's error if that ends first. It is no failure
// that AWS refuses the updated issuer form of a pool that has not switched to
// it.
//
// A service may start without its keys: tokens get [ErrKeysUnavailable] until
// the key server answers, which is tried again every 10 seconds at most.
func (v *Verifier) Preload(ctx context.Context) error {
	errs := make([]error, len(v.sources))
	var wg sync.WaitGroup
	for i := range v.sources {
		wg.Go(func() { errs[i] = v.sources[i].preload(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the first in order of configuration
		}
	}
	return nil
}

// allows reports whether tokens of the app client are accepted.
func (v *Verifier) allows(clientID string) bool {
	return clientID != "" && (v.cfg.InsecureSkipClientIDCheck || slices.Contains(v.cfg.ClientIDs, clientID))
}

// issuers returns the accepted iss values.
func (v *Verifier) issuers() []string {
	names := make([]string, len(v.sources))
	for i := range v.sources {
		names[i] = v.sources[i].name
	}
	return names
}

// now is the configured clock.
func (v *Verifier) now() time.Time { return v.cfg.Now() }
