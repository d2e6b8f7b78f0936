package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	sliceTime      = 10 * time.Millisecond
	distinctTokens = 256
)

var uses = []string{useAccess, useID}

// slice runs its subject for a slice of time and returns nanoseconds for each
// operation.
type slice func() (float64, error)

// subject is a line of the table of speed.
type subject struct {
	name    string
	version string
	verify  verify // nil for the one under Node
	slices  func(use string) (slice, bool)
}

// measured is what was measured of a subject: medians over pairs of slices.
type measured struct {
	floor  map[string]float64 // ratio to the floor of the pair, by use
	ours   map[string]float64 // ratio to ours of the same round, by use
	time   map[string]float64 // nanoseconds, by use
	allocs map[string]float64 // for each operation, by use
}

// inGo returns slices of f over the tokens, on so many threads at once.
func inGo(f func(token string) error, tokens []string, threads int) slice {
	next := make([]int, threads)
	for i := range next {
		next[i] = i * len(tokens) / threads
	}
	return func() (float64, error) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		total, failed := 0, error(nil)
		start := time.Now()
		for t := range threads {
			wg.Go(func() {
				n := 0
				for time.Since(start) < sliceTime {
					// The clock is read every eighth time: a repeated token
					// costs no more than reading it.
					for range 8 {
						if err := f(tokens[next[t]%len(tokens)]); err != nil {
							mu.Lock()
							failed = err
							mu.Unlock()
							return
						}
						next[t]++
					}
					n += 8
				}
				mu.Lock()
				total += n
				mu.Unlock()
			})
		}
		wg.Wait()
		return float64(time.Since(start).Nanoseconds()) / float64(max(total, 1)), failed
	}
}

var errSignature = errors.New("bad signature")

// floorOf is what no verifier can leave out: base64 of the parts, SHA-256 and
// RSA.
func floorOf(key *rsa.PublicKey) func(token string) error {
	return func(token string) error {
		dot := strings.LastIndexByte(token, '.')
		input := token[:dot]
		header, payload, _ := strings.Cut(input, ".")
		if _, err := base64.RawURLEncoding.DecodeString(header); err != nil {
			return err
		}
		if _, err := base64.RawURLEncoding.DecodeString(payload); err != nil {
			return err
		}
		sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			return err
		}
		digest := sha256.Sum256([]byte(input))
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) != nil {
			return errSignature
		}
		return nil
	}
}

// bench measures every subject. Each pair is a slice of the subject and one of
// the floor, in turns, and a slice of ours in the same round, so that whatever
// else the machine does falls on all of them.
func bench(subjects []subject, floor map[string]slice, pairs int) (map[string]measured, error) {
	results := map[string]measured{}
	for _, use := range uses {
		ours, _ := subjects[0].slices(use)
		for i, s := range subjects {
			run, ok := s.slices(use)
			if !ok {
				continue
			}
			if _, err := run(); err != nil { // warm up
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			var overFloor, overOurs, times []float64
			for range pairs {
				f, err1 := floor[use]()
				t, err2 := run()
				o, err3 := t, error(nil)
				if i > 0 {
					o, err3 = ours()
				}
				if err := errors.Join(err1, err2, err3); err != nil {
					return nil, fmt.Errorf("%s: %w", s.name, err)
				}
				overFloor, overOurs, times = append(overFloor, t/f), append(overOurs, t/o), append(times, t)
			}
			m, ok := results[s.name]
			if !ok {
				m = measured{map[string]float64{}, map[string]float64{}, map[string]float64{}, map[string]float64{}}
				results[s.name] = m
			}
			m.floor[use], m.ours[use], m.time[use] = median(overFloor), median(overOurs), median(times)
		}
	}
	return results, nil
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	if len(values) == 0 {
		return math.NaN()
	}
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// allocs counts allocations of verifying a token.
func allocs(ctx context.Context, v verify, use string, tokens []string) (float64, error) {
	const runs = 512
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range runs {
		if err := v(ctx, use, tokens[i%len(tokens)]); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.Mallocs-before.Mallocs) / runs), nil
}

// overall is the geometric mean over the uses that the subject can verify.
func overall(ratios map[string]float64) float64 {
	sum := 0.0
	for _, r := range ratios {
		sum += math.Log(r)
	}
	return math.Exp(sum / float64(len(ratios)))
}

// speedSetup is the machine's side of the table: keys, tokens, libraries.
type speedSetup struct {
	key    *signer
	tokens map[string][]string
	server *keyServer
	node   *node // nil without
}

func newSpeedSetup(n *node) (*speedSetup, error) {
	key, err := newSigner(poolKeyID)
	if err != nil {
		return nil, err
	}
	s := &speedSetup{key: key, tokens: map[string][]string{}, server: newKeyServer(key.jwks(), false), node: n}
	for _, use := range uses {
		if s.tokens[use], err = key.mint(use, distinctTokens, time.Now()); err != nil {
			return nil, err
		}
	}
	if n != nil {
		if err := n.create(key.jwks(), ""); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// subjects are ours, the peers, ours with tokens it has seen, and Node's; the
// last on one thread only, since it has no more.
func (s *speedSetup) subjects(ctx context.Context, threads int) ([]subject, error) {
	list := slices.Concat(peers, []peer{{name: nameRepeated, module: peers[0].module, open: openOurs(0)}})
	var subjects []subject
	for _, p := range list {
		v, err := p.open(ctx, setup{server: s.server, keys: s.key.jwks(), now: time.Now})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		subjects = append(subjects, subject{name: p.name, version: version(p.module), verify: v, slices: func(use string) (slice, bool) {
			return inGo(func(token string) error { return v(ctx, use, token) }, s.tokens[use], threads), use == useID || !p.idOnly
		}})
	}
	if s.node != nil && threads == 1 {
		subjects = append(subjects, subject{name: nodeLibrary, version: s.node.library + ", Node " + s.node.version, slices: s.nodeSlices("slice")},
			subject{name: "Node's own floor", version: "node:crypto", slices: s.nodeSlices("floorSlice")})
	}
	return subjects, nil
}

// nodeSlices are slices measured within Node, so that talking to it is not.
func (s *speedSetup) nodeSlices(op string) func(use string) (slice, bool) {
	return func(use string) (slice, bool) {
		loaded := false
		return func() (float64, error) {
			if !loaded {
				loaded = true
				err := s.node.call("load", map[string]any{"list": s.tokens[use], "jwk": s.key.jwk()}, nil)
				if err != nil {
					return 0, err
				}
				// It has to be compiled first, and twice.
				if err := s.node.call(op, map[string]any{"use": use, "ms": 500}, nil); err != nil {
					return 0, err
				}
			}
			var t timing
			err := s.node.call(op, map[string]any{"use": use, "ms": sliceTime.Milliseconds()}, &t)
			return t.perOp(), err
		}, true
	}
}

// floors are the slices of the floor.
func (s *speedSetup) floors(threads int) map[string]slice {
	floors := map[string]slice{}
	for _, use := range uses {
		floors[use] = inGo(floorOf(&s.key.key.PublicKey), s.tokens[use], threads)
	}
	return floors
}
