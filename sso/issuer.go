package sso

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// issuer is one exact iss value and where its keys are.
type issuer struct {
	name string
	keys *keyset.Cache
	// optional is true for the updated issuer form: the pool may not have
	// switched to it, and AWS answers 403 there until it has.
	optional bool
}

// makeIssuers returns the issuers of a completed Config, without duplicates.
// Each has keys of its own, unless JWKSURL says where the keys of all are: a
// key of one issuer must not vouch for another (RFC 8725 §3.8).
func makeIssuers(cfg Config) []issuer {
	region := cfg.UserPoolID[:strings.LastIndexByte(cfg.UserPoolID, '_')]
	// AWS lets an existing pool change between these two, under running apps.
	original := "https://cognito-idp." + region + ".amazonaws.com/" + cfg.UserPoolID
	updated := "https://issuer-cognito-idp." + region + ".amazonaws.com/" + cfg.UserPoolID

	var shared *keyset.Cache
	if cfg.JWKSURL != "" {
		shared = newKeys(cfg, cfg.JWKSURL)
	}
	var issuers []issuer
	add := func(name string, optional bool) {
		for i := range issuers {
			if issuers[i].name == name {
				issuers[i].optional = issuers[i].optional && optional
				return
			}
		}
		keys := shared
		if keys == nil {
			keys = newKeys(cfg, strings.TrimSuffix(name, "/")+"/.well-known/jwks.json")
		}
		issuers = append(issuers, issuer{name: name, keys: keys, optional: optional})
	}
	add(original, false)
	add(updated, true)
	for _, name := range cfg.Issuers {
		add(name, false)
	}
	return issuers
}

func newKeys(cfg Config, url string) *keyset.Cache {
	return keyset.New(keyset.Config{URL: url, Client: cfg.HTTPClient, Now: cfg.Now})
}

// preload fetches the issuer's keys.
func (i *issuer) preload(ctx context.Context) error {
	err := i.keys.Refresh(ctx)
	var failed *keyset.FetchError
	if i.optional && errors.As(err, &failed) && (failed.NotFound || failed.Status != 0 && failed.Status != http.StatusOK) {
		// The pool has not switched to this form (aws-jwt-verify #279). If
		// it has, and this is an outage, the first token will ask again.
		return nil
	}
	return keysError(err)
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

// source returns the issuer whose name is the JSON string iss, nil if there is
// none. The comparison is of the exact text.
func (v *Verifier) source(iss []byte) *issuer {
	for i := range v.sources {
		if strictjson.Equal(iss, v.sources[i].name) {
			return &v.sources[i]
		}
	}
	return nil
}
