package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"time"
)

// lockName keeps changes of the schema apart, over all processes.
const lockName = "sso_migrations"

// lockKey is lockName as PostgreSQL's advisory locks take it.
const lockKey = 0x73736f5f6d696772 // "sso_migr"

const (
	lockPause     = 50 * time.Millisecond
	unlockTimeout = 5 * time.Second
)

// locker is goose's lock.SessionLocker: a lock that ends with its connection.
type locker struct{ d Dialect }

// SessionLock asks again and again rather than wait inside the server: a
// statement that waits has a snapshot, and CREATE INDEX CONCURRENTLY of who
// holds the lock would wait for that.
func (l locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	query, arg := "SELECT pg_catalog.pg_try_advisory_lock($1)", any(int64(lockKey))
	if l.d == MySQL {
		query, arg = "SELECT coalesce(get_lock(concat(?, ':', left(coalesce(database(), ''), 40)), 0), 0)", any(lockName)
	}
	for {
		var ok bool
		if err := conn.QueryRowContext(ctx, query, arg).Scan(&ok); err != nil || ok {
			return safe("lock", err)
		}
		if err := pause(ctx, lockPause); err != nil {
			return safe("lock", err)
		}
	}
}

// SessionUnlock frees the lock also when ctx has ended; if it cannot, it ends
// the connection, and so the lock.
func (l locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	query, arg := "SELECT pg_catalog.pg_advisory_unlock($1)", any(int64(lockKey))
	if l.d == MySQL {
		query, arg = "SELECT coalesce(release_lock(concat(?, ':', left(coalesce(database(), ''), 40))), 0)", any(lockName)
	}
	var ok bool
	if err := conn.QueryRowContext(ctx, query, arg).Scan(&ok); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// busy reports whether an SQLite file is held by another writer. The driver is
// the caller's, so that only its words are left to go by; every driver has
// SQLite's own.
func busy(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "locked") || strings.Contains(err.Error(), "SQLITE_BUSY"))
}
