package sso

import (
	"context"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
	"github.com/ssu-itsupport/cognito-sso/internal/tokenmemory"
)

// remembered is a token that passed every check. Under which conditions it
// still does is all that a hit looks at; what cannot change is not looked at
// again: form, issuer, client and claims, since a Verifier's Config does not
// change.
type remembered struct {
	token       Token
	source      *issuer
	generation  uint64    // of the keys that it was verified with
	from, until time.Time // when it is good, Leeway included: not before from, and before until
}

type tokenMemory = tokenmemory.Table[remembered]

// newMemory returns a memory of a completed Config's size, nil for none.
func newMemory(cfg Config) *tokenMemory {
	if cfg.TokenMemory < 0 {
		return nil
	}
	return tokenmemory.New[remembered](cfg.TokenMemory)
}

// good reports whether the token is good at the time.
func (m *remembered) good(now time.Time) bool {
	return !now.Before(m.from) && now.Before(m.until) && m.source.keys.GenerationAt(now) == m.generation
}

// recall returns the remembered token that raw is. Where it returns nil, raw is
// to be verified as if there were no memory: so whatever speaks against a
// remembered token gets the error that it would always get.
func (v *Verifier) recall(raw string, want TokenUse) *Token {
	m := v.memory.Get(raw)
	if m == nil || want != "" && m.token.Use != want {
		return nil
	}
	if !m.good(v.now()) {
		v.memory.Delete(raw)
		return nil
	}
	return &m.token // shared: copy it
}

// remember keeps a token that was verified, and nothing else: what anybody can
// make must not drive out what only Cognito can.
func (v *Verifier) remember(raw string, m *remembered, now time.Time) {
	if v.memory == nil {
		return
	}
	// A copy, because raw may be a part of the text of a whole request, or, as
	// some web frameworks do it, of a buffer that the next request overwrites.
	v.memory.Put(strings.Clone(raw), m, func(other *remembered) bool { return !other.good(now) })
}

// key returns the key, and the generation of the keys that it is one of.
// settled is false if that cannot be told.
func (i *issuer) key(ctx context.Context, kid string, now time.Time) (key *jose.Key, generation uint64, settled bool, err error) {
	// Twice, because the first token of all brings the first generation.
	for range 2 {
		generation = i.keys.GenerationAt(now)
		if key, err = i.keys.Key(ctx, kid); err != nil {
			return nil, 0, false, err
		}
		if i.keys.GenerationAt(now) == generation {
			return key, generation, true, nil
		}
	}
	return key, 0, false, nil
}
