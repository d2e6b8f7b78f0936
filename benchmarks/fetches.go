package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	herd       = 1000
	unknown    = 10_000
	atATime    = 64
	patience   = 4 * time.Second // an answer later than this is none
	refresh    = time.Second     // where a library lets that be said
	afterThat  = 2 * time.Hour   // what ours, which takes a clock, sees pass
	shortly    = 500 * time.Millisecond
	manyFaults = 4
)

// outcome counts how verifications ended.
type outcome struct{ OK, Failed, Blocked int }

func (o outcome) String() string {
	switch {
	case o.Blocked > 0:
		return "blocked"
	case o.Failed > 0:
		return "fail"
	}
	return "ok"
}

// verifyAll verifies ID tokens, so many at a time, each for so long at most.
type verifyAll func(tokens []string, atATime int, patience time.Duration) (outcome, error)

// contender is a library in the table of fetches.
type contender struct {
	name string
	// open returns the library, cold, with a key server of its own, and how
	// to end both.
	open func(keys []byte, every time.Duration, now func() time.Time) (*keyServer, verifyAll, func(), error)
}

// goContender is a Go library.
func goContender(ctx context.Context, p peer) contender {
	return contender{p.name, func(keys []byte, every time.Duration, now func() time.Time) (*keyServer, verifyAll, func(), error) {
		ctx, cancel := context.WithCancel(ctx)
		server := newKeyServer(keys, false)
		end := func() { cancel(); server.close() }
		var v verify
		// Some fetch as they are made, so a server's fault is set later.
		v, err := p.open(ctx, setup{server: server, keys: keys, refresh: every, now: now})
		if err != nil {
			end()
			return nil, nil, nil, err
		}
		return server, verifyAllIn(ctx, v), end, nil
	}}
}

func verifyAllIn(ctx context.Context, v verify) verifyAll {
	return func(tokens []string, atATime int, patience time.Duration) (outcome, error) {
		var ok, failed, blocked, next atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range atATime {
			wg.Go(func() {
				<-start
				for i := next.Add(1) - 1; i < int64(len(tokens)); i = next.Add(1) - 1 {
					switch err := within(ctx, patience, v, tokens[i]); {
					case err == nil:
						ok.Add(1)
					case errors.Is(err, errBlocked):
						blocked.Add(1)
					default:
						failed.Add(1)
					}
				}
			})
		}
		close(start)
		wg.Wait()
		return outcome{int(ok.Load()), int(failed.Load()), int(blocked.Load())}, nil
	}
}

var errBlocked = errors.New("no answer in time")

// within verifies a token. Not every library heeds a context, so one that
// hangs is left behind; its key server's end frees it.
func within(ctx context.Context, patience time.Duration, v verify, token string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- v(ctx, useID, token) }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience + shortly/5): // for those that do heed it
		return errBlocked
	}
}

// nodeContender is aws-jwt-verify with its own fetcher, which wants https.
func nodeContender(ctx context.Context) contender {
	return contender{nodeLibrary, func(keys []byte, _ time.Duration, _ func() time.Time) (*keyServer, verifyAll, func(), error) {
		server := newKeyServer(keys, true)
		n, err := startNode(ctx, server)
		if err != nil {
			server.close()
			return nil, nil, nil, err
		}
		end := func() { server.close(); n.close() }
		if err := n.create(nil, server.jwksURL()); err != nil {
			end()
			return nil, nil, nil, err
		}
		return server, func(tokens []string, atATime int, patience time.Duration) (outcome, error) {
			var o outcome
			err := n.call("verify", map[string]any{"use": useID, "list": tokens, "atATime": atATime, "ms": patience.Milliseconds()}, &o)
			return o, err
		}, end, nil
	}}
}

// behaviour is a row of the table.
type behaviour struct {
	herd, herdDown, unknown int64
	herdOK                  bool
	heals, newKey           string
	known                   [manyFaults]string // by fault, from down on
}

// examiner has the tokens of the scenarios.
type examiner struct {
	old, fresh *signer
	good       string // signed by old
	rotated    string // signed by fresh
}

func newExaminer() (*examiner, error) {
	e := &examiner{}
	var err error
	if e.old, err = newSigner(poolKeyID); err != nil {
		return nil, err
	}
	if e.fresh, err = newSigner(otherKeyID); err != nil {
		return nil, err
	}
	now := time.Now()
	if e.good, err = e.old.sign(idPayload(0, now)); err != nil {
		return nil, err
	}
	e.rotated, err = e.fresh.sign(idPayload(1, now))
	return e, err
}

// examine runs every scenario, each with the library opened anew.
func (e *examiner) examine(c contender) (behaviour, error) {
	var b behaviour
	var wg sync.WaitGroup
	errs := make([]error, manyFaults)
	for i := range errs {
		wg.Go(func() { b.known[i], errs[i] = e.known(c, fault(i+1)) })
	}
	wg.Wait()
	errs = append(errs, e.herd(c, &b), e.herdInOutage(c, &b), e.unknown(c, &b), e.rotation(c, &b))
	return b, errors.Join(errs...)
}

func repeat(token string, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = token
	}
	return tokens
}

// herd sends many tokens at once to a library that has no keys yet.
func (e *examiner) herd(c contender, b *behaviour) error {
	server, verify, end, err := c.open(e.old.jwks(), 0, time.Now)
	if err != nil {
		return err
	}
	defer end()
	o, err := verify(repeat(e.good, herd), herd, patience)
	b.herd, b.herdOK = server.fetches.Load(), o.OK == herd
	return err
}

// herdInOutage does so while the key server answers 500, and then asks whether
// a token is good as soon as the server is.
func (e *examiner) herdInOutage(c contender, b *behaviour) error {
	server, verify, end, err := c.open([]byte(`{"keys":[]}`), 0, time.Now)
	if err != nil {
		return err
	}
	defer end()
	server.set(failing)
	if _, err := verify(repeat(e.good, herd), herd, patience); err != nil {
		return err
	}
	b.herdDown = server.fetches.Load()
	server.rotate(e.old.jwks())
	server.set(healthy)
	o, err := verify([]string{e.good}, 1, patience)
	b.heals = yes(o)
	return err
}

// unknown sends tokens that name made-up keys to a library that has keys.
func (e *examiner) unknown(c contender, b *behaviour) error {
	server, verify, end, err := c.open(e.old.jwks(), 0, time.Now)
	if err != nil {
		return err
	}
	defer end()
	if err := warm(verify, e.good); err != nil {
		return err
	}
	before := server.fetches.Load()
	o, err := verify(unknownKeys(e.good, unknown), atATime, patience)
	if o.OK > 0 {
		return errors.New("a token of a made-up key was accepted")
	}
	b.unknown = server.fetches.Load() - before
	return err
}

// known asks whether tokens of a known key still pass once the key server has
// a fault and the library has had every reason to ask it.
func (e *examiner) known(c contender, f fault) (string, error) {
	var passed atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	server, verify, end, err := c.open(e.old.jwks(), refresh, now)
	if err != nil {
		return "", err
	}
	defer end()
	if err := warm(verify, e.good); err != nil {
		return "", err
	}
	server.set(f)
	passed.Store(int64(afterThat))
	time.Sleep(2 * refresh)
	// A token of an unknown key has some ask, any token others.
	if _, err := verify(unknownKeys(e.good, 1), 1, shortly); err != nil {
		return "", err
	}
	if _, err := verify([]string{e.good}, 1, shortly); err != nil {
		return "", err
	}
	time.Sleep(shortly)
	o, err := verify([]string{e.good}, 1, patience)
	return o.String(), err
}

// rotation asks whether the first token of a new key passes.
func (e *examiner) rotation(c contender, b *behaviour) error {
	server, verify, end, err := c.open(e.old.jwks(), 0, time.Now)
	if err != nil {
		return err
	}
	defer end()
	if err := warm(verify, e.good); err != nil {
		return err
	}
	server.rotate(jwksOf(e.old.jwk(), e.fresh.jwk()))
	o, err := verify([]string{e.rotated}, 1, patience)
	b.newKey = yes(o)
	return err
}

func warm(verify verifyAll, token string) error {
	o, err := verify([]string{token}, 1, patience)
	if err == nil && o.OK != 1 {
		err = errors.New("a good token was refused")
	}
	return err
}

func yes(o outcome) string {
	if o.OK > 0 {
		return "yes"
	}
	return "no"
}

// printFetches examines every library that fetches keys and prints the table.
func printFetches(ctx context.Context, withNode bool) error {
	e, err := newExaminer()
	if err != nil {
		return err
	}
	var contenders []contender
	for _, p := range peers {
		if !p.static {
			contenders = append(contenders, goContender(ctx, p))
		}
	}
	if withNode {
		contenders = append(contenders, nodeContender(ctx))
	}
	fmt.Printf("\nKeys: fetches of the key set, and whether tokens pass (\"blocked\": no answer in %v)\n\n", patience)
	rows := [][]string{{
		"library", fmt.Sprintf("cold herd of %d", herd), "the same, server answers 500", "heals at once", fmt.Sprintf("%d unknown kids", unknown),
		"known kid: down", "500", `{"keys":[]}`, "hanging", "new kid on first token",
	}}
	for _, c := range contenders {
		b, err := e.examine(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		herd := fmt.Sprint(b.herd)
		if !b.herdOK {
			herd += ", not all passed"
		}
		rows = append(rows, append([]string{c.name, herd, fmt.Sprint(b.herdDown), b.heals, fmt.Sprint(b.unknown)}, append(b.known[:], b.newKey)...))
	}
	printTable(rows)
	return nil
}
