package sso

import (
	"context"
	"errors"
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
// Each has keys of its own, unless JWKS or JWKSURL says what the keys of all
// are: a key of one issuer must not vouch for another (RFC 8725 §3.8), and an
// outage of one must not be another's.
func makeIssuers(cfg Config) []issuer {
	region := cfg.UserPoolID[:strings.LastIndexByte(cfg.UserPoolID, '_')]
	// AWS lets an existing pool change between these two, under running apps.
	original := "https://cognito-idp." + region + ".amazonaws.com/" + cfg.UserPoolID
	updated := "https://issuer-cognito-idp." + region + ".amazonaws.com/" + cfg.UserPoolID

	var shared *keyset.Cache
	switch {
	case cfg.JWKS != nil:
		shared, _ = staticKeys(cfg.JWKS) // checked by Config.check
	case cfg.JWKSURL != "":
		shared = newKeys(cfg, "", cfg.JWKSURL, false)
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
			keys = newKeys(cfg, name, strings.TrimSuffix(name, "/")+"/.well-known/jwks.json", optional)
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

// preload fetches the issuer's keys.
func (i *issuer) preload(ctx context.Context) error {
	err := i.keys.Refresh(ctx)
	var failed *keyset.FetchError
	if i.optional && errors.As(err, &failed) && (failed.NotFound || failed.Status != 0) {
		// The pool has not switched to this form (see notSwitched). If it
		// has, and this is an outage, the first token will ask again.
		return nil
	}
	return keysError(err)
}

// source returns the issuer whose name is the JSON string iss, nil if there is
// none. The comparison is of the exact text.
func (v *Verifier) source(iss string) *issuer {
	for i := range v.sources {
		if strictjson.Equal(iss, v.sources[i].name) {
			return &v.sources[i]
		}
	}
	return nil
}
