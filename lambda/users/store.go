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
	// At is when this sign-in was; zero if it is none, and then no time is
	// recorded. See [Store.Ensure].
	At time.Time
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
	// user was deleted in the pool and signed up again; it got the new sub,
	// and the table of moves has a record of it.
	Moved Outcome = "moved"
)

// Result is the row that belongs to an identity.
type Result struct {
	// ID is the row's primary key as text.
	ID      string
	Outcome Outcome
	// SignInRecorded: the last login of the row is Identity.At by now, or later,
	// written together with the rest, so there is nothing left to record. Never
	// with Existing, nor where the table has no column for it.
	SignInRecorded bool
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
	// ErrAmbiguous: several rows carry what must be on one row only, as in a
	// table that lacks a unique index. Nothing is changed; the table must be
	// mended.
	ErrAmbiguous = errors.New("users: several rows match")
	// ErrMoveRefused: the row of the provider's id belongs to another sub, and
	// the store is set to refuse that rather than to move the row.
	ErrMoveRefused = errors.New("users: the row belongs to another Cognito user")
	// ErrInvalid: the identity itself is unusable (no sub, an id of the wrong form).
	ErrInvalid = errors.New("users: invalid identity")
	// ErrUnavailable: the store could not be reached in time; try again.
	ErrUnavailable = errors.New("users: store unavailable")
	// ErrSchema: the table is not as configured: a column or a unique index
	// is missing, or of another type. Trying again does not help.
	ErrSchema = errors.New("users: the table is not as configured")
)

// Store is the user table. Every method may be called twice, concurrently, or
// again after half of it happened. Implementations are safe for concurrent
// use and pass the suite in lambda/users/userstest.
type Store interface {
	// Ensure returns the one row of id, linking or creating it. It is
	// idempotent. Where it creates, links or moves the row, it moves its last
	// login forward to id.At too, never back, in the same statement or
	// transaction; a row that is there already it leaves alone. A store that
	// cannot record At does the rest, and does not set Result.SignInRecorded.
	Ensure(ctx context.Context, id Identity) (Result, error)
	// IDBySub returns the row id of a sub, or ErrNotFound.
	IDBySub(ctx context.Context, sub string) (string, error)
	// RecordSignIns moves last logins forward, never back. ErrInvalid says that
	// the table refuses the values of some of the batch, as by a CHECK of the
	// organisation's: by themselves the others can be recorded.
	RecordSignIns(ctx context.Context, batch []SignIn) (SignInReport, error)
	// Get returns the row with this primary key, or ErrNotFound.
	Get(ctx context.Context, id string) (User, error)
	// Page returns at most limit rows behind the one with the primary key
	// after, in the order of primary keys; after "" begins with the first. A
	// page that is not full is the last one. A row that is added or changed
	// between two pages may or may not be seen so. limit is from 1 to
	// [MaxPage]; the row after need not exist any more.
	Page(ctx context.Context, after string, limit int) ([]User, error)
}

// MaxPage is the largest limit of [Store.Page].
const MaxPage = 1000

// Walk calls fn for every row of s in the order of its primary key, page by
// page, so fn may call s. It stops at the first error, fn's or the store's,
// and returns it.
func Walk(ctx context.Context, s Store, fn func(User) error) error {
	const size = 500
	for after := ""; ; {
		page, err := s.Page(ctx, after, size)
		if err != nil {
			return err
		}
		for _, u := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(u); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		after = page[len(page)-1].ID
	}
}
