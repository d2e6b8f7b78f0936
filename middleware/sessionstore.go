package middleware

import (
	"context"
	"errors"
	"time"
)

// SessionRecord is a session as its store sees it: nothing in it can be used
// to sign in or to call Cognito.
type SessionRecord struct {
	// Key is a hash of the session id, which only the browser holds. It is
	// at most 64 ASCII characters, and case matters.
	Key string
	// Subject is the sub of the user, for DeleteBySubject: 1 to 255 bytes
	// that are compared exactly.
	Subject string
	// Version counts updates, from 1.
	Version int64
	// ExpiresAt is when the record may be dropped. Login keeps the limits of
	// a session in Data and moves ExpiresAt along; a store need be exact to a
	// second only.
	ExpiresAt time.Time
	// Data is the session, encrypted by Login. Some 5 KB are usual, 64 KiB
	// are possible.
	Data []byte
}

// Errors of a [SessionStore]. Every other error of a store means that it cannot
// tell now.
var (
	// ErrSessionGone is returned by Get and Update for a record that does not
	// exist, has expired or was deleted.
	ErrSessionGone = errors.New("middleware: session gone")
	// ErrSessionConflict is returned by Update when another Update came first,
	// and by Create for a Key that exists.
	ErrSessionConflict = errors.New("middleware: session changed meanwhile")
)

// SessionStore keeps sessions on the server. Implementations are safe for
// concurrent use and pass middleware/storetest. Texts of their errors are
// logged, so they hold no Key, Subject or Data. One that several processes
// share should be a [SessionLocker] too.
type SessionStore interface {
	// Get returns the record as last written. Its Data is the caller's own.
	Get(ctx context.Context, key string) (SessionRecord, error)
	// Create stores a record with Version 1, whatever rec.Version says. Its
	// Key is new.
	Create(ctx context.Context, rec SessionRecord) error
	// Update replaces ExpiresAt and Data of the record only if the stored
	// Version is rec.Version, and stores it with Version+1. It never brings a
	// deleted session back, and once Delete or DeleteBySubject has returned,
	// no Update of the record succeeds, not even one begun before.
	Update(ctx context.Context, rec SessionRecord) error
	// Delete is idempotent.
	Delete(ctx context.Context, key string) error
	// DeleteBySubject deletes every session of a subject, of whatever app
	// shares the store, and returns how many.
	DeleteBySubject(ctx context.Context, subject string) (int, error)
}
