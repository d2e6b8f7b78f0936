// Package users ties Cognito users to rows of the organisation's user table.
package users

import (
	"context"
	"errors"
	"time"
)

// Identity is who signed in, as Cognito vouches for it.
type Identity struct {
	// Sub is the Cognito user's sub. Required.
	Sub string
	// Provider is the name of the identity provider in the pool, such as
	// "Kakao"; "" for a native user.
	Provider string
	// Subject is the user's id at Provider; "" for a native user.
	Subject string
	// Email and Name fill a new row. They never identify anybody.
	Email, Name string
}

// Outcome says what Ensure did.
type Outcome string

const (
	// Existing: a row already carried the sub.
	Existing Outcome = "existing"
	// Linked: a row carried the provider's id and no sub; it got the sub.
	Linked Outcome = "linked"
	// Created: no row matched; a new one was made.
	Created Outcome = "created"
	// Moved: a row carried the provider's id and another sub, as after a
	// user was deleted in the pool and signed up again; it got the new sub.
	Moved Outcome = "moved"
)

// Result is the row that belongs to an identity.
type Result struct {
	// ID is the row's primary key as text.
	ID      string
	Outcome Outcome
}

// SignIn is one sign-in to record.
type SignIn struct {
	Sub string
	At  time.Time
}

// SignInReport counts what RecordSignIns did with a batch.
type SignInReport struct {
	// Updated rows got a later last login.
	Updated int
	// Unknown subs have no row; they are reported, not created.
	Unknown []string
}

// User is one row, as Walk and Get show it.
type User struct {
	ID          string
	Sub         string            // "" if never signed in through Cognito
	Providers   map[string]string // provider name → id at the provider
	Email, Name string
	LastLogin   time.Time // zero if never
	Created     time.Time
}

// Errors of a Store, for errors.Is.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("users: not found")
	// ErrConflict: the identity cannot be given to one row without taking it
	// from another.
	ErrConflict = errors.New("users: identity conflicts with another row")
	// ErrInvalid: the identity itself is unusable (no sub, an id of the wrong form).
	ErrInvalid = errors.New("users: invalid identity")
	// ErrUnavailable: the store could not be reached in time; try again.
	ErrUnavailable = errors.New("users: store unavailable")
)

// Store is the user table. Every method may be called twice, concurrently, or
// again after half of it happened. Implementations are safe for concurrent
// use and pass the suite in lambda/users/userstest.
type Store interface {
	// Ensure returns the one row of id, linking or creating it. It is
	// idempotent.
	Ensure(ctx context.Context, id Identity) (Result, error)
	// IDBySub returns the row id of a sub, or ErrNotFound.
	IDBySub(ctx context.Context, sub string) (string, error)
	// RecordSignIns moves last logins forward, never back.
	RecordSignIns(ctx context.Context, batch []SignIn) (SignInReport, error)
	// Get returns the row with this primary key, or ErrNotFound.
	Get(ctx context.Context, id string) (User, error)
	// Walk calls fn for every row in the order of its primary key, and stops at
	// fn's first error, which it returns.
	Walk(ctx context.Context, fn func(User) error) error
}
