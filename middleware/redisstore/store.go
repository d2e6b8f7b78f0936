package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

const (
	maxKey     = 64
	maxSubject = 255
	maxData    = 64 << 10
	// indexSlack is how much longer a session is in the index than in Redis:
	// the nodes of a Cluster have clocks of their own.
	indexSlack = 5 * time.Minute
	// batch is how many sessions are deleted with one round trip.
	batch = 100
)

// Store is a [middleware.SessionStore] and a [middleware.SessionLocker] in
// Redis. It is safe for concurrent use.
type Store struct{ cfg Config }

// bounded is a context for one call.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.cfg.Timeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.cfg.Timeout)
}

// keys are those of a session and its lock. The braces put both into one slot
// of a Cluster, unless there is nothing between them: key is not "".
func (s *Store) keys(key string) []string {
	return []string{s.cfg.Prefix + "s:{" + key + "}", s.lockKey(key)}
}

func (s *Store) lockKey(key string) string { return s.cfg.Prefix + "l:{" + key + "}" }

// indexKey is that of a subject. It shows nobody's sub to who lists keys.
func (s *Store) indexKey(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return s.cfg.Prefix + "u:" + hex.EncodeToString(sum[:])
}

// millis is a time for PEXPIREAT, which takes no negative one.
func millis(t time.Time) int64 { return max(t.UnixMilli(), 1) }

// Get implements middleware.SessionStore.
func (s *Store) Get(ctx context.Context, key string) (middleware.SessionRecord, error) {
	if key == "" {
		return middleware.SessionRecord{}, middleware.ErrSessionGone
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	fields, err := s.cfg.Client.HMGet(ctx, s.keys(key)[0], "s", "v", "x", "d").Result()
	if err != nil {
		return middleware.SessionRecord{}, fail(ctx, "get", err)
	}
	return recordOf(key, fields)
}

// recordOf reads the fields s, v, x and d.
func recordOf(key string, fields []any) (middleware.SessionRecord, error) {
	var text [4]string
	for i, f := range fields {
		var ok bool
		if text[i], ok = f.(string); !ok {
			return middleware.SessionRecord{}, middleware.ErrSessionGone
		}
	}
	version, err1 := strconv.ParseInt(text[1], 10, 64)
	expires, err2 := strconv.ParseInt(text[2], 10, 64)
	if err1 != nil || err2 != nil {
		return middleware.SessionRecord{}, ErrRecord
	}
	return middleware.SessionRecord{
		Key: key, Subject: text[0], Version: version, ExpiresAt: time.UnixMilli(expires), Data: []byte(text[3]),
	}, nil
}

// Create implements middleware.SessionStore. It returns [ErrRecord] for a
// record that breaks the bounds of [middleware.SessionRecord].
func (s *Store) Create(ctx context.Context, rec middleware.SessionRecord) error {
	if rec.Key == "" || len(rec.Key) > maxKey || rec.Subject == "" || len(rec.Subject) > maxSubject || len(rec.Data) > maxData {
		return ErrRecord
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	// The index first: a session that it lacks could not be signed out
	// everywhere, while one that it has too many does no harm.
	if err := s.index(ctx, rec.Subject, rec); err != nil {
		return fail(ctx, "create", err)
	}
	n, err := createScript.Run(ctx, s.cfg.Client, s.keys(rec.Key), rec.Subject, rand.Text(), millis(rec.ExpiresAt), rec.Data).Int()
	switch {
	case err != nil:
		return fail(ctx, "create", err)
	case n == 0:
		return middleware.ErrSessionConflict
	}
	return s.replicated(ctx, "create")
}

// index notes a session under its subject.
func (s *Store) index(ctx context.Context, subject string, rec middleware.SessionRecord) error {
	until := millis(rec.ExpiresAt.Add(indexSlack))
	return indexScript.Run(ctx, s.cfg.Client, []string{s.indexKey(subject)}, rec.Key, until).Err()
}

// Update implements middleware.SessionStore.
func (s *Store) Update(ctx context.Context, rec middleware.SessionRecord) error {
	switch {
	case rec.Key == "":
		return middleware.ErrSessionGone
	case len(rec.Data) > maxData:
		return ErrRecord
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	write, subject := rand.Text(), rec.Subject
	for {
		answer, err := s.update(ctx, subject, write, rec)
		if err != nil {
			return fail(ctx, "update", err)
		}
		switch answer := answer.(type) {
		case int64:
			return s.updated(ctx, answer)
		case string:
			subject = answer // the record's own; it never changes
		default:
			return fail(ctx, "update", errAnswer)
		}
	}
}

// update is one try, for a subject.
func (s *Store) update(ctx context.Context, subject, write string, rec middleware.SessionRecord) (any, error) {
	// As in Create. It puts a session back that an index lost.
	if err := s.index(ctx, subject, rec); err != nil {
		return nil, err
	}
	return updateScript.Run(ctx, s.cfg.Client, s.keys(rec.Key)[:1],
		rec.Version, write, millis(rec.ExpiresAt), rec.Data, subject).Result()
}

func (s *Store) updated(ctx context.Context, answer int64) error {
	switch answer {
	case -1:
		return middleware.ErrSessionGone
	case 0:
		return middleware.ErrSessionConflict
	}
	return s.replicated(ctx, "update")
}

// Delete implements middleware.SessionStore.
func (s *Store) Delete(ctx context.Context, key string) error {
	if key == "" {
		return nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	subject, err := deleteScript.Run(ctx, s.cfg.Client, s.keys(key)).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fail(ctx, "delete", err)
	}
	if err == nil {
		// Only to be tidy: what the index has too many ends by itself.
		_ = s.cfg.Client.ZRem(ctx, s.indexKey(subject), key).Err()
	}
	return s.replicated(ctx, "delete")
}

// DeleteBySubject implements middleware.SessionStore. It deletes the sessions
// that were created when it is called, 100 at a time; where it fails in
// between, the number is that of those deleted so far.
func (s *Store) DeleteBySubject(ctx context.Context, subject string) (int, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	index := s.indexKey(subject)
	keys, err := s.cfg.Client.ZRange(ctx, index, 0, -1).Result()
	if err != nil {
		return 0, fail(ctx, "delete by subject", err)
	}
	total := 0
	for some := range slices.Chunk(keys, batch) {
		deleted, err := s.deleteOf(ctx, subject, some)
		total += len(deleted)
		if err != nil {
			return total, fail(ctx, "delete by subject", err)
		}
		if len(deleted) > 0 {
			// Not those that were not there: a Create may be between noting
			// one and writing it.
			_ = s.cfg.Client.ZRem(ctx, index, deleted...).Err()
		}
	}
	return total, s.replicated(ctx, "delete by subject")
}

// deleteOf deletes those of the sessions that are the subject's and returns
// their keys.
func (s *Store) deleteOf(ctx context.Context, subject string, keys []string) (deleted []any, err error) {
	pipe := s.cfg.Client.Pipeline()
	results := make([]*redis.Cmd, len(keys))
	for i, key := range keys {
		// Its text and not its hash: a pipeline cannot fall back.
		results[i] = deleteOfScript.Eval(ctx, pipe, s.keys(key), subject)
	}
	_, err = pipe.Exec(ctx)
	for i, r := range results {
		if n, e := r.Int(); e == nil && n == 1 {
			deleted = append(deleted, keys[i])
		}
	}
	return deleted, err
}
