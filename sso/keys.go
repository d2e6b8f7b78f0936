package sso

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
)

// newKeys returns the keys at the URL, for one issuer, or for all if issuer is
// "".
func newKeys(cfg Config, issuer, url string, optional bool) *keyset.Cache {
	kc := keyset.Config{
		URL: url, Client: cfg.HTTPClient, Now: cfg.Now,
		RefreshAge: cfg.KeysRefresh, StaleIfError: cfg.StaleIfError,
	}
	if o := cfg.Observer; o != nil {
		kc.OnFetch = func(r keyset.FetchResult) { o.KeysFetched(keysEvent(issuer, optional, r)) }
	}
	return keyset.New(kc)
}

// staticKeys parses Config.JWKS. The error says what is wrong with that field.
func staticKeys(document []byte) (*keyset.Cache, error) {
	keys, err := keyset.NewStatic(document)
	switch {
	case errors.Is(err, jose.ErrNoUsableKey):
		return nil, errors.New("holds no key that is usable for RS256")
	case err != nil:
		return nil, fmt.Errorf("is not a JSON Web Key Set of at most %d bytes", keyset.MaxBytes)
	}
	return keys, nil
}

func keysEvent(issuer string, optional bool, r keyset.FetchResult) KeysEvent {
	e := KeysEvent{Issuer: issuer, Duration: r.Duration, Keys: r.Keys, Age: r.Age, Stale: r.Stale()}
	if issuer == "" {
		e.Issuer = r.URL
	}
	switch reason := r.Reason(); reason {
	case keyset.ReasonOK:
		e.Reason = KeysOK
	case keyset.ReasonUnreachable:
		e.Reason = KeysUnreachable
	case keyset.ReasonTimeout:
		e.Reason = KeysTimeout
	case keyset.ReasonStatus:
		e.Reason = KeysStatus
	case keyset.ReasonTooLarge:
		e.Reason = KeysTooLarge
	case keyset.ReasonUnusable:
		e.Reason = KeysUnusable
	default: // Close ended it
		e.Reason = KeysOther
	}
	if optional && r.Keys == 0 && notSwitched(r.Err) {
		e.Reason = KeysNotSwitched
	}
	return e
}

// notSwitched reports whether a failure is what AWS answers at the updated
// issuer form of a pool that has not switched to it (aws-jwt-verify #279).
func notSwitched(err *keyset.FetchError) bool {
	return err != nil && (err.NotFound || err.Status >= http.StatusBadRequest && err.Status < http.StatusInternalServerError)
}

// keysError turns an error of keyset into one of this package.
func keysError(err error) error {
	var failed *keyset.FetchError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyset.ErrUnknownKey):
		return ErrUnknownKey
	case errors.As(err, &failed):
		return fmt.Errorf("%w: %w", ErrKeysUnavailable, failed)
	default: // the caller's own context ended
		return fmt.Errorf("sso: waiting for keys: %w", err)
	}
}

// keysReady returns nil if any issuer has keys, asking the key servers if
// none has, no more often than tokens would. It is for what must not be begun
// if its outcome cannot be verified. It returns [ErrKeysUnavailable] or the
// context's error.
func (v *Verifier) keysReady(ctx context.Context) error {
	var first error
	for i := range v.sources {
		err := v.sources[i].keys.Ready(ctx)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err // of the pool's original issuer, which every pool has
		}
		if ctx.Err() != nil {
			break
		}
	}
	return keysError(first)
}

// Close ends fetches of keys, those that run and those to come by age, and
// returns when no goroutine of this Verifier is left. (A Transport given by
// Config.HTTPClient may keep its own.) A Verifier that is used until the
// process ends need not be closed.
//
// A closed Verifier still verifies with the keys it has, until Config's
// StaleIfError, so that a server may answer its last requests. A token whose
// key it has not gets [ErrKeysUnavailable], and so does [Verifier.Preload].
// Close may be called more than once. An [Observer] must not call it.
func (v *Verifier) Close() {
	for i := range v.sources {
		v.sources[i].keys.Close() // twice if they are shared, which is no harm
	}
}
