package ssotest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// signingKey is a key and the id it is published under.
type signingKey struct {
	id      string
	use     sso.TokenUse
	private *rsa.PrivateKey
}

// newSigningKey names a key by a hash of its public half, so that it keeps its id over a restart. The form is AWS's:
// base64 that ends in "=".
func newSigningKey(use sso.TokenUse, private *rsa.PrivateKey) signingKey {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&private.PublicKey))
	return signingKey{id: base64.StdEncoding.EncodeToString(sum[:]), use: use, private: private}
}

// freeKeys has the keys of closed pools. Making a key takes a tenth of a second, so a process that starts hundreds of
// pools, as tests do, makes only as many as it needs at once. Live pools never share a key, and a key that is used again
// gets another id.
var freeKeys struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

// takeKey makes a key, or takes one of a closed pool.
func takeKey(use sso.TokenUse) (signingKey, error) {
	freeKeys.mu.Lock()
	var private *rsa.PrivateKey
	if n := len(freeKeys.keys); n > 0 {
		private, freeKeys.keys = freeKeys.keys[n-1], freeKeys.keys[:n-1]
	}
	freeKeys.mu.Unlock()
	if private == nil {
		return generateKey(use)
	}
	id := make([]byte, sha256.Size)
	_, _ = rand.Read(id)
	return signingKey{id: base64.StdEncoding.EncodeToString(id), use: use, private: private}, nil
}

func generateKey(use sso.TokenUse) (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signingKey{}, fmt.Errorf("ssotest: making a key: %w", err)
	}
	return newSigningKey(use, private), nil
}

// sign makes a compact JWS of any header and payload.
func (k signingKey) sign(header, payload []byte) string {
	enc := base64.RawURLEncoding
	input := enc.EncodeToString(header) + "." + enc.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("ssotest: signing: %v", err)) // a 2048-bit key can sign any SHA-256 sum
	}
	return input + "." + enc.EncodeToString(sig)
}

// header is exactly what Cognito's tokens have.
func (k signingKey) header() []byte {
	return []byte(`{"kid":` + strconv.Quote(k.id) + `,"alg":"RS256"}`)
}

// keyPair is the keys of one generation: one signs ID tokens, the other access tokens.
type keyPair struct {
	generation int
	id, access signingKey
}

// keyring is the pool's keys, the current ones last. dir is where they are kept, "" for nowhere.
type keyring struct {
	dir     string
	pairs   []keyPair
	dropped []keyPair // unpublished, kept for free
}

// newPair makes a pair, of new keys if they are kept.
func (k *keyring) newPair(generation int) (keyPair, error) {
	if k.dir != "" {
		return generatePair(generation, generateKey)
	}
	return generatePair(generation, takeKey)
}

// free gives the keys to later pools, unless they are kept. It is for a pool that is closed.
func (k *keyring) free() {
	if k.dir != "" {
		return
	}
	freeKeys.mu.Lock()
	defer freeKeys.mu.Unlock()
	for _, pair := range slices.Concat(k.pairs, k.dropped) {
		freeKeys.keys = append(freeKeys.keys, pair.id.private, pair.access.private)
	}
}

func (k *keyring) current() keyPair { return k.pairs[len(k.pairs)-1] }

// published are the keys in the key document.
func (k *keyring) published() []signingKey {
	var keys []signingKey
	for _, pair := range k.pairs {
		keys = append(keys, pair.id, pair.access)
	}
	// In no order that tells which key signs what.
	slices.SortFunc(keys, func(a, b signingKey) int { return strings.Compare(a.id, b.id) })
	return keys
}

// openKeyring loads the keys that are kept in dir. It makes a pair if there is none.
func openKeyring(dir string) (keyring, error) {
	ring := keyring{dir: dir}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return ring, &sso.ConfigError{Field: "KeyDir", Problem: err.Error()}
		}
		if err := ring.load(); err != nil {
			return ring, &sso.ConfigError{Field: "KeyDir", Problem: err.Error()}
		}
	}
	if len(ring.pairs) > 0 {
		return ring, nil
	}
	pair, err := ring.newPair(1)
	if err != nil {
		return ring, err
	}
	err = ring.add(pair)
	return ring, err
}

// generatePair makes the two keys at the same time: each takes a tenth of a second.
func generatePair(generation int, key func(sso.TokenUse) (signingKey, error)) (keyPair, error) {
	pair := keyPair{generation: generation}
	var idErr, accessErr error
	var wg sync.WaitGroup
	wg.Go(func() { pair.id, idErr = key(sso.UseID) })
	pair.access, accessErr = key(sso.UseAccess)
	wg.Wait()
	return pair, errors.Join(idErr, accessErr)
}

// add makes pair the current one and keeps it.
func (k *keyring) add(pair keyPair) error {
	k.pairs = append(k.pairs, pair)
	if k.dir == "" {
		return nil
	}
	return errors.Join(writeKey(k.dir, pair.generation, pair.id), writeKey(k.dir, pair.generation, pair.access))
}

// dropOld forgets all but the current pair.
func (k *keyring) dropOld() error {
	var errs []error
	for _, pair := range k.pairs[:len(k.pairs)-1] {
		if k.dir != "" {
			errs = append(errs, os.Remove(keyFile(k.dir, pair.generation, sso.UseID)),
				os.Remove(keyFile(k.dir, pair.generation, sso.UseAccess)))
		}
	}
	k.dropped = append(k.dropped, k.pairs[:len(k.pairs)-1]...)
	k.pairs = []keyPair{k.current()}
	return errors.Join(errs...)
}

// keyFile is where a key is kept: one file for each key, numbered by generation.
func keyFile(dir string, generation int, use sso.TokenUse) string {
	return filepath.Join(dir, fmt.Sprintf("%06d-%s.pem", generation, use))
}

func writeKey(dir string, generation int, k signingKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // CreateTemp makes files of mode 0600
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), keyFile(dir, generation, k.use))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (k *keyring) load() error {
	files, err := filepath.Glob(filepath.Join(k.dir, "*-"+string(sso.UseAccess)+".pem"))
	if err != nil {
		return err
	}
	for _, file := range files { // Glob sorts
		number, _, _ := strings.Cut(filepath.Base(file), "-")
		generation, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("%s: the name does not start with a number", file)
		}
		pair := keyPair{generation: generation}
		if pair.access, err = readKey(k.dir, generation, sso.UseAccess); err != nil {
			return err
		}
		if pair.id, err = readKey(k.dir, generation, sso.UseID); err != nil {
			return err
		}
		k.pairs = append(k.pairs, pair)
	}
	return nil
}

func readKey(dir string, generation int, use sso.TokenUse) (signingKey, error) {
	name := keyFile(dir, generation, use)
	text, err := os.ReadFile(name)
	if err != nil {
		return signingKey{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return signingKey{}, fmt.Errorf("%s: not a PKCS#8 private key in PEM", name)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return signingKey{}, fmt.Errorf("%s: %w", name, err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() != 2048 {
		return signingKey{}, fmt.Errorf("%s: not an RSA key of 2048 bits", name)
	}
	return newSigningKey(use, private), nil
}

// RotateKeys replaces both signing keys. Old ones stay published until DropOldKeys. It panics if no key can be made or
// kept.
func (p *Pool) RotateKeys() {
	p.mu.Lock()
	ring := keyring{dir: p.keys.dir}
	p.mu.Unlock()
	pair, err := ring.newPair(0)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	pair.generation = p.keys.current().generation + 1 // somebody may have rotated meanwhile
	if err := p.keys.add(pair); err != nil {
		panic(fmt.Sprintf("ssotest: keeping the keys: %v", err))
	}
}

// DropOldKeys unpublishes all but the current keys. It panics if it cannot delete the files of the others.
func (p *Pool) DropOldKeys() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.keys.dropOld(); err != nil {
		panic(fmt.Sprintf("ssotest: deleting old keys: %v", err))
	}
}

// JWKSFetches counts requests for the key document.
func (p *Pool) JWKSFetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.jwksFetches
}

func (p *Pool) signingKey(use sso.TokenUse) signingKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	if use == sso.UseID {
		return p.keys.current().id
	}
	return p.keys.current().access
}

// serveJWKS serves the key document, or fails as the faults say.
func (p *Pool) serveJWKS(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.jwksFetches++
	p.mu.Unlock()
	if d := p.currentFaults().JWKSDelay; d > 0 {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return
		}
	}
	if !p.waitWhileHanging(r) {
		return
	}
	h := w.Header()
	switch p.currentFaults().JWKS {
	case JWKSDown:
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	case JWKSHTML:
		h.Set("Content-Type", "text/html;charset=UTF-8")
	default:
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=86400")
	}
	_, _ = w.Write(p.jwks())
}

// waitWhileHanging waits while the fault JWKSHang is set. It reports false if the request ended first.
func (p *Pool) waitWhileHanging(r *http.Request) bool {
	for {
		p.mu.Lock()
		hang, changed := p.faults.JWKS == JWKSHang, p.faultChanged
		p.mu.Unlock()
		if !hang {
			return true
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return false
		}
	}
}

type jwk struct {
	Alg string `json:"alg"`
	E   string `json:"e"`
	Kid string `json:"kid"`
	Kty string `json:"kty"`
	N   string `json:"n"`
	Use string `json:"use"`
}

// jwks is the current key set document, after faults.
func (p *Pool) jwks() []byte {
	p.mu.Lock()
	fault, keys := p.faults.JWKS, p.keys.published()
	p.mu.Unlock()
	if fault == JWKSHTML {
		return []byte("<!doctype html><title>Sign in to the network</title><p>Please accept the terms.")
	}
	doc := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		public := &k.private.PublicKey
		switch fault {
		case JWKSEmpty:
			continue
		case JWKSWrong:
			public = wrongKey()
		}
		doc.Keys = append(doc.Keys, jwk{
			Alg: "RS256", Kid: k.id, Kty: "RSA", Use: "sig",
			E: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
			N: base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings only
	}
	if fault == JWKSTruncated {
		return text[:len(text)/2]
	}
	return text
}

// wrongKey is a key that signs nothing.
var wrongKey = sync.OnceValue(func() *rsa.PublicKey {
	k, err := generateKey("")
	if err != nil {
		panic(err)
	}
	return &k.private.PublicKey
})
