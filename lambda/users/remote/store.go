package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Invoker is what a [Store] needs of a [lambda.Client].
type Invoker interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Config wires a [Store]. It is copied.
type Config struct {
	// Function is the name or the ARN of the function that serves the
	// [Handler]. Required.
	Function string
	// Qualifier is its version or alias. Defaults to none, which is $LATEST.
	Qualifier string
	// Timeout bounds one operation, with its retries. A nearer end of the
	// context wins. Defaults to 5 s.
	Timeout time.Duration
	// Reserve is how much of the time is kept back for the way of the answer,
	// but at most half of it. Defaults to 100 ms.
	Reserve time.Duration
	// Backoff is the pause before a second try; it doubles up to MaxBackoff,
	// and each is shortened at random by up to a half. Default to 50 ms and
	// 400 ms.
	Backoff, MaxBackoff time.Duration
	// OnRetry is told of every try after the first, with the code of what went
	// wrong before ("TooManyRequestsException", "function error
	// Runtime.ExitError"), for metrics. Codes are few and hold no personal
	// data. It must be safe for concurrent use. Defaults to nothing.
	OnRetry func(ctx context.Context, code string)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Timeout, 5 * time.Second}, {&c.Reserve, 100 * time.Millisecond},
		{&c.Backoff, 50 * time.Millisecond}, {&c.MaxBackoff, 400 * time.Millisecond},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.OnRetry == nil {
		c.OnRetry = func(context.Context, string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store is a [users.Store] behind a Lambda function. It is safe for concurrent
// use.
type Store struct {
	api Invoker
	cfg Config
}

var _ users.Store = (*Store)(nil)

// New returns a Store. Nothing is invoked yet. Its error is [ErrConfig].
//
// The role needs lambda:InvokeFunction on the function. Retries are the
// store's own: those of the client are not used.
func New(api Invoker, cfg Config) (*Store, error) {
	switch {
	case api == nil:
		return nil, fmt.Errorf("%w: api: required", ErrConfig)
	case cfg.Function == "":
		return nil, fmt.Errorf("%w: Function: required", ErrConfig)
	case cfg.Timeout < 0 || cfg.Reserve < 0 || cfg.Backoff < 0 || cfg.MaxBackoff < 0:
		return nil, fmt.Errorf("%w: Timeout, Reserve, Backoff and MaxBackoff: at least 0", ErrConfig)
	}
	return &Store{api: api, cfg: cfg.withDefaults()}, nil
}

// Close does nothing: the client belongs to the caller.
func (s *Store) Close() error { return nil }

// Ping asks whether the function answers, and whether it reaches its store if
// that has a Ping of its own.
func (s *Store) Ping(ctx context.Context) error { return s.call(ctx, opPing, nil, nil) }

// Ensure implements [users.Store].
func (s *Store) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	if err := id.Validate(); err != nil {
		return users.Result{}, failed(opEnsure, err)
	}
	if at, ok := id.SignedIn(); ok {
		id.At = at
	} else {
		id.At = time.Time{} // JSON could not hold some of these
	}
	var got ensureResult
	err := s.call(ctx, opEnsure, ensureArgs(id), &got)
	if err != nil {
		return users.Result{}, err
	}
	switch got.Outcome {
	case users.Existing, users.Linked, users.Created, users.Moved:
	default:
		return users.Result{}, failed(opEnsure, fmt.Errorf("%w: unknown outcome", ErrProtocol))
	}
	if got.ID == "" {
		return users.Result{}, noID(opEnsure)
	}
	return users.Result(got), nil
}

// IDBySub implements [users.Store].
func (s *Store) IDBySub(ctx context.Context, sub string) (string, error) {
	if !utf8.ValidString(sub) { // JSON would make it another's
		return "", failed(opIDBySub, users.ErrNotFound)
	}
	var got idMessage
	if err := s.call(ctx, opIDBySub, subArgs{sub}, &got); err != nil {
		return "", err
	}
	if got.ID == "" {
		return "", noID(opIDBySub)
	}
	return got.ID, nil
}

// RecordSignIns implements [users.Store]. More than 1,000 users go in several
// invocations; after an error some of them may be done.
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	var sum users.SignInReport
	// The same as the store would do, before the way instead of behind it.
	latest := users.Latest(batch)
	if len(latest) == 0 {
		return sum, s.ended(ctx, opRecord)
	}
	for len(latest) > 0 {
		n := min(len(latest), maxBatch)
		args, got := recordArgs{}, recordResult{}
		for _, one := range latest[:n] {
			args.SignIns = append(args.SignIns, signIn{one.Sub, one.At.UTC()})
		}
		if err := s.call(ctx, opRecord, args, &got); err != nil {
			return sum, err
		}
		if got.Updated < 0 || got.Updated+len(got.Unknown) > n {
			return sum, failed(opRecord, fmt.Errorf("%w: more than was asked", ErrProtocol))
		}
		sum.Updated += got.Updated
		sum.Unknown = append(sum.Unknown, got.Unknown...)
		latest = latest[n:]
	}
	return sum, nil
}

// Get implements [users.Store].
func (s *Store) Get(ctx context.Context, id string) (users.User, error) {
	if !utf8.ValidString(id) {
		return users.User{}, failed(opGet, users.ErrNotFound)
	}
	var got user
	if err := s.call(ctx, opGet, idMessage{id}, &got); err != nil {
		return users.User{}, err
	}
	if got.ID == "" {
		return users.User{}, noID(opGet)
	}
	return users.User(got), nil
}

// Page implements [users.Store]. A page that is too large for one answer takes
// several invocations.
func (s *Store) Page(ctx context.Context, after string, limit int) ([]users.User, error) {
	if limit < 1 || limit > users.MaxPage || !utf8.ValidString(after) {
		return nil, failed(opPage, fmt.Errorf("%w: limit or cursor", users.ErrInvalid))
	}
	page := make([]users.User, 0, limit)
	for {
		var got pageResult
		if err := s.call(ctx, opPage, pageArgs{after, limit - len(page)}, &got); err != nil {
			return nil, err
		}
		part, ok := got.rows()
		if !ok || len(part) > limit-len(page) || got.More && (len(part) == 0 || len(page)+len(part) == limit) {
			return nil, failed(opPage, fmt.Errorf("%w: rows", ErrProtocol))
		}
		page = append(page, part...)
		if !got.More {
			return page, nil
		}
		after = page[len(page)-1].ID
	}
}

func (p pageResult) rows() ([]users.User, bool) {
	if p.Users == nil {
		return nil, false
	}
	out := make([]users.User, 0, len(p.Users))
	for _, raw := range p.Users {
		var u user
		if !decode(raw, &u) || u.ID == "" {
			return nil, false
		}
		out = append(out, users.User(u))
	}
	return out, true
}

func noID(op string) error { return failed(op, fmt.Errorf("%w: no id", ErrProtocol)) }

func failed(op string, err error) error { return fmt.Errorf("remote: %s: %w", op, err) }

// encode is a request. It cannot fail but for a time that JSON cannot hold,
// and Identity.SignedIn and users.Latest have left those out.
func encode(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}
