package fleettest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// note is what a process tells the judge. It goes no further before the judge
// has it, so that what the judge believes is so.
type note struct {
	Process int
	What    what
	// Call is the call to the token endpoint that is over, Got whether the
	// process has its whole answer, and Failed whether that is none or a 5xx.
	Call        string
	Got, Failed bool
	// Holder is of a lock.
	Holder string
	// Key is the session's in the store, Tokens what its record there has, as
	// digests, and Ends when the record ends.
	Key    string
	Tokens []string
	Ends   time.Time
}

type what string

const (
	callOver what = "call over"
	created  what = "created"
	stored   what = "stored"
	// gone: the session has ended, and its new tokens were not stored.
	gone     what = "gone"
	locked   what = "locked"
	unlocked what = "unlocked"
	// storeFailed: the store could not tell; storeTired: nor could it in the
	// time that its caller had.
	storeFailed what = "store failed"
	storeTired  what = "store tired"
)

// notePath is where the wire takes notes.
const notePath = "/_fleet/note"

// digest names a token without having it.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// spy is between a process and what is around it, and tells.
type spy struct {
	process int
	to      string
	client  http.Client
	aead    cipher.AEAD
	realm   []byte

	mu   sync.Mutex       // guards seen
	seen map[string]int64 // the newest version of a record, by key, that was told of
}

func newSpy(s settings) (*spy, error) {
	p := &spy{process: s.Process, to: s.Wire + notePath, seen: map[string]int64{}, realm: field(field(nil, clientID), s.Pool)}
	p.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	// The one thing that is known here of how Login works: without it nobody
	// could say which tokens a record has.
	key, err := hkdf.Key(sha256.New, s.CookieKey, nil, "cognito-sso/middleware seal v1 session", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	p.aead, err = cipher.NewGCMWithRandomNonce(block)
	return p, err
}

func field(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...) //nolint:gosec // short
}

// tell tells the judge, or ends the process: nobody may act on what it does not
// know.
func (p *spy) tell(n note) {
	n.Process = p.process
	text, err := json.Marshal(n)
	if err == nil {
		err = p.post(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleettest: the judge:", err)
		os.Exit(1)
	}
}

func (p *spy) post(text []byte) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.to, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Idempotency-Key", rand.Text()) // on a connection that ends it is sent again
	resp, err := p.client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// spiedCalls is what the process calls the pool with.
type spiedCalls struct {
	*spy
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper. It returns when the answer is there
// as a whole, and has told what became of it.
func (c spiedCalls) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(processHeader, strconv.Itoa(c.process))
	if r.URL.Path != tokenPath {
		return c.next.RoundTrip(r)
	}
	call := rand.Text()
	r.Header.Set(callHeader, call)
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		var raw []byte
		raw, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(raw))
	}
	c.tell(note{What: callOver, Call: call, Got: err == nil, Failed: err != nil || resp.StatusCode >= 500})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// lag is the way to the store: now and then it is long, so that what may happen
// between two calls does.
func lag(ctx context.Context) {
	most := 2 * time.Millisecond
	if mathrand.IntN(8) == 0 { //nolint:gosec // out of the plan
		most = 80 * time.Millisecond
	}
	wait(ctx, mathrand.N(most)) //nolint:gosec // likewise
}

// spiedStore is the session store of a process.
type spiedStore struct {
	lockStore
	*spy
}

// Get implements middleware.SessionStore. It tells of what another process, or
// a write whose answer was lost, has stored.
func (s spiedStore) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	lag(ctx)
	rec, err := s.lockStore.Get(ctx, key)
	s.failed(ctx, key, err)
	if err == nil && s.isNew(key, rec.Version) {
		s.tellRecord(stored, rec)
	}
	return rec, err
}

// Create implements middleware.SessionStore.
func (s spiedStore) Create(ctx context.Context, rec middleware.SessionRecord) error {
	lag(ctx)
	err := s.lockStore.Create(ctx, rec)
	s.failed(ctx, rec.Key, err)
	if err == nil {
		s.isNew(rec.Key, 1)
		s.tellRecord(created, rec)
	}
	return err
}

// Update implements middleware.SessionStore.
func (s spiedStore) Update(ctx context.Context, rec middleware.SessionRecord) error {
	lag(ctx)
	err := s.lockStore.Update(ctx, rec)
	s.failed(ctx, rec.Key, err)
	switch {
	case err == nil:
		s.isNew(rec.Key, rec.Version+1)
		s.tellRecord(stored, rec)
	case errors.Is(err, middleware.ErrSessionGone):
		s.tellRecord(gone, rec)
	}
	return err
}

// Delete implements middleware.SessionStore.
func (s spiedStore) Delete(ctx context.Context, key string) error {
	err := s.lockStore.Delete(ctx, key)
	s.failed(ctx, key, err)
	return err
}

// DeleteBySubject implements middleware.SessionStore.
func (s spiedStore) DeleteBySubject(ctx context.Context, subject string) (int, error) {
	n, err := s.lockStore.DeleteBySubject(ctx, subject)
	s.failed(ctx, "", err)
	return n, err
}

// Lock implements middleware.SessionLocker.
func (s spiedStore) Lock(ctx context.Context, key, holder string, lease time.Duration) error {
	lag(ctx)
	s.tell(note{What: locked, Key: key, Holder: holder}) // before: who dies then may have it
	err := s.lockStore.Lock(ctx, key, holder, lease)
	s.failed(ctx, key, err)
	if errors.Is(err, middleware.ErrSessionLocked) || errors.Is(err, middleware.ErrSessionGone) {
		s.tell(note{What: unlocked, Key: key, Holder: holder})
	}
	return err
}

// Unlock implements middleware.SessionLocker.
func (s spiedStore) Unlock(ctx context.Context, key, holder string) error {
	err := s.lockStore.Unlock(ctx, key, holder)
	s.failed(ctx, key, err)
	if err == nil {
		s.tell(note{What: unlocked, Key: key, Holder: holder})
	}
	return err
}

// failed tells of errors that are no answer.
func (s spiedStore) failed(ctx context.Context, key string, err error) {
	switch {
	case err == nil, errors.Is(err, middleware.ErrSessionGone), errors.Is(err, middleware.ErrSessionConflict), errors.Is(err, middleware.ErrSessionLocked):
	case ctx.Err() != nil:
		s.tell(note{What: storeTired, Key: key})
	default:
		s.tell(note{What: storeFailed, Key: key})
	}
}

func (p *spy) isNew(key string, version int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version <= p.seen[key] {
		return false
	}
	p.seen[key] = version
	return true
}

// tokenText is how the pool's tokens look, wherever in a record they are.
var tokenText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2,4}`)

func (p *spy) tellRecord(what what, rec middleware.SessionRecord) {
	n := note{What: what, Key: rec.Key, Ends: rec.ExpiresAt}
	bind := append(field(field(nil, "session"), rec.Key), p.realm...)
	plain, err := p.aead.Open(nil, nil, rec.Data[1:], bind)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleettest: a record does not open here: is its format new?")
		os.Exit(1)
	}
	for _, token := range tokenText.FindAll(plain, -1) {
		n.Tokens = append(n.Tokens, digest(string(token)))
	}
	p.tell(n)
}
