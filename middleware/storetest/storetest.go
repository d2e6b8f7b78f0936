// Package storetest is the conformance suite of session stores: whatever
// passes [Exercise] keeps the promises of [middleware.SessionStore], and of
// [middleware.SessionLocker] if it is one, that Login relies on.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/middleware"
)

// Exercise runs the suite. newStore returns a store for one test; stores may
// share a database, since keys and subjects are random. The tests run in
// parallel and use the real clock.
//
// What a store need not have is tested where it has it, and skipped elsewhere:
// the methods of [middleware.SessionLocker], and
//
//	Clean(context.Context) (deleted int, err error)
//
// which deletes expired sessions.
func Exercise(t *testing.T, newStore func(t *testing.T) middleware.SessionStore) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newStore(t))
		})
	}
	for _, test := range lockTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, ok := newStore(t).(lockStore)
			if !ok {
				t.Skip("the store is no middleware.SessionLocker")
			}
			test.run(t, s)
		})
	}
}

var tests = []struct {
	name string
	run  func(t *testing.T, s middleware.SessionStore)
}{
	{"create then get", createThenGet},
	{"unknown key is gone", unknownKey},
	{"create refuses a key that exists", createTwice},
	{"data is any bytes", dataBytes},
	{"data is the caller's own", dataIsCopied},
	{"keys differ in case", keyCase},
	{"update raises the version", updateVersion},
	{"update of an old version conflicts", updateConflict},
	{"update moves the expiry", updateExpiry},
	{"update may end a session", updateToPast},
	{"update leaves the subject alone", updateSubject},
	{"update never creates", updateUnknown},
	{"update never revives", updateAfterDelete},
	{"update never revives after delete by subject", updateAfterDeleteBySubject},
	{"delete is idempotent", deleteTwice},
	{"a deleted key can be created again", createAfterDelete},
	{"expired records are gone", expired},
	{"an expired key can be created again", createAfterExpiry},
	{"a record expires while it is stored", expires},
	{"cleaning deletes what has expired, and nothing else", cleans},
	{"delete by subject", deleteBySubject},
	{"delete by subject counts no expired records", deleteBySubjectExpired},
	{"delete by subject of many", deleteBySubjectMany},
	{"delete by subject misses nothing that is created", deleteBySubjectRace},
	{"subjects are compared exactly", subjectsExactly},
	{"one of many updates wins", oneWinner},
	{"updates lose nothing", noLostUpdate},
	{"delete wins over updates", deleteRace},
	{"one of many creates wins", createRace},
	{"a cancelled context is no other answer", cancelled},
}

// record returns a valid new record.
func record(subject string) middleware.SessionRecord {
	return middleware.SessionRecord{
		Key:       "t1." + random(32),
		Subject:   subject,
		Version:   99, // Create does not look
		ExpiresAt: time.Now().Add(time.Hour),
		Data:      []byte("data of " + subject),
	}
}

func subject() string { return "sub-" + random(12) }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// create stores a record and returns it as stored.
func create(t *testing.T, s middleware.SessionStore, rec middleware.SessionRecord) middleware.SessionRecord {
	t.Helper()
	if err := s.Create(t.Context(), rec); err != nil {
		t.Fatalf("Create: %v", err)
	}
	return get(t, s, rec.Key)
}

func get(t *testing.T, s middleware.SessionStore, key string) middleware.SessionRecord {
	t.Helper()
	rec, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return rec
}

// wantErr fails unless err is want. The sentinels are tested one by one, so a
// store must not return both.
func wantErr(t *testing.T, call string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", call, err, want)
	}
}

func wantGone(t *testing.T, s middleware.SessionStore, key string) {
	t.Helper()
	rec, err := s.Get(t.Context(), key)
	wantErr(t, "Get", err, middleware.ErrSessionGone)
	if rec.Data != nil {
		t.Fatal("Get returned data beside ErrSessionGone")
	}
}

func createThenGet(t *testing.T, s middleware.SessionStore) {
	in := record(subject())
	out := create(t, s, in)
	if out.Key != in.Key || out.Subject != in.Subject || !bytes.Equal(out.Data, in.Data) {
		t.Errorf("Get returned another record: %+v, want %+v", out, in)
	}
	if out.Version != 1 {
		t.Errorf("Version is %d after Create, want 1", out.Version)
	}
	sameTime(t, out.ExpiresAt, in.ExpiresAt)
}

// sameTime allows the second that a store may round by.
func sameTime(t *testing.T, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want).Abs(); d > time.Second {
		t.Errorf("ExpiresAt is off by %v", d)
	}
}

func unknownKey(t *testing.T, s middleware.SessionStore) {
	wantGone(t, s, record("").Key)
	wantGone(t, s, "")
}

func createTwice(t *testing.T, s middleware.SessionStore) {
	first := create(t, s, record(subject()))
	second := record(subject())
	second.Key = first.Key
	wantErr(t, "Create", s.Create(t.Context(), second), middleware.ErrSessionConflict)
	if got := get(t, s, first.Key); got.Subject != first.Subject || !bytes.Equal(got.Data, first.Data) {
		t.Error("a refused Create changed the record")
	}
}

func dataBytes(t *testing.T, s middleware.SessionStore) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := make([]byte, 64<<10)
	_, _ = rand.Read(big)
	for name, data := range map[string][]byte{"every byte": all, "64 KiB": big, "no text": {0xff, 0xfe, 0x00, 0x80}, "one zero": {0}} {
		rec := record(subject())
		rec.Data = data
		out := create(t, s, rec)
		if !bytes.Equal(out.Data, data) {
			t.Errorf("%s: data changed in Create", name)
		}
		out.Data = append([]byte{1}, data[:len(data)-1]...)
		if err := s.Update(t.Context(), out); err != nil {
			t.Fatalf("%s: Update: %v", name, err)
		}
		if !bytes.Equal(get(t, s, rec.Key).Data, out.Data) {
			t.Errorf("%s: data changed in Update", name)
		}
	}
}

func dataIsCopied(t *testing.T, s middleware.SessionStore) {
	rec := record(subject())
	want := bytes.Clone(rec.Data)
	create(t, s, rec)
	clear(rec.Data) // what was given to Create
	out := get(t, s, rec.Key)
	if !bytes.Equal(out.Data, want) {
		t.Fatal("the store kept the slice given to Create")
	}
	clear(out.Data) // what Get gave
	out = get(t, s, rec.Key)
	if !bytes.Equal(out.Data, want) {
		t.Fatal("the store gave away its own slice in Get")
	}
	if err := s.Update(t.Context(), out); err != nil {
		t.Fatalf("Update: %v", err)
	}
	clear(out.Data) // what was given to Update
	if !bytes.Equal(get(t, s, rec.Key).Data, want) {
		t.Fatal("the store kept the slice given to Update")
	}
}

func keyCase(t *testing.T, s middleware.SessionStore) {
	lower, upper := record(subject()), record(subject())
	base := random(24)
	lower.Key, upper.Key = "t1."+base+"abc", "t1."+base+"ABC"
	create(t, s, lower)
	create(t, s, upper)
	if got := get(t, s, lower.Key); got.Subject != lower.Subject {
		t.Error("keys that differ in case are one record")
	}
	if err := s.Delete(t.Context(), lower.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	get(t, s, upper.Key)
}

func updateVersion(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	for want := int64(2); want <= 4; want++ {
		rec.Data = fmt.Appendf(nil, "data %d", want)
		if err := s.Update(t.Context(), rec); err != nil {
			t.Fatalf("Update to %d: %v", want, err)
		}
		got := get(t, s, rec.Key)
		if got.Version != want || !bytes.Equal(got.Data, rec.Data) || got.Subject != rec.Subject {
			t.Fatalf("after Update: %+v, want version %d", got, want)
		}
		rec = got
	}
	// The same bytes again are an update too: databases count changed rows in
	// different ways.
	if err := s.Update(t.Context(), rec); err != nil {
		t.Fatalf("Update that changes nothing: %v", err)
	}
	if got := get(t, s, rec.Key); got.Version != rec.Version+1 {
		t.Errorf("Version is %d after an Update that changes nothing, want %d", got.Version, rec.Version+1)
	}
}

func updateConflict(t *testing.T, s middleware.SessionStore) {
	old := create(t, s, record(subject()))
	if err := s.Update(t.Context(), old); err != nil {
		t.Fatalf("Update: %v", err)
	}
	for _, version := range []int64{1, 0, -1, 3, 1 << 40} {
		stale := old
		stale.Version = version
		stale.Data = []byte("stale")
		err := s.Update(t.Context(), stale)
		wantErr(t, fmt.Sprintf("Update of version %d", version), err, middleware.ErrSessionConflict)
		if errors.Is(err, middleware.ErrSessionGone) {
			t.Error("a conflict is ErrSessionGone as well")
		}
	}
	if got := get(t, s, old.Key); got.Version != 2 || bytes.Equal(got.Data, []byte("stale")) {
		t.Error("a refused Update changed the record")
	}
}

func updateExpiry(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	rec.ExpiresAt = time.Now().Add(5 * time.Hour)
	if err := s.Update(t.Context(), rec); err != nil {
		t.Fatalf("Update: %v", err)
	}
	sameTime(t, get(t, s, rec.Key).ExpiresAt, rec.ExpiresAt)
}

func updateUnknown(t *testing.T, s middleware.SessionStore) {
	for _, version := range []int64{0, 1, 2} {
		rec := record(subject())
		rec.Version = version
		wantErr(t, "Update", s.Update(t.Context(), rec), middleware.ErrSessionGone)
		wantGone(t, s, rec.Key)
	}
}

func updateAfterDelete(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	wantErr(t, "Update", s.Update(t.Context(), rec), middleware.ErrSessionGone)
	wantGone(t, s, rec.Key)
}

func updateAfterDeleteBySubject(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	if _, err := s.DeleteBySubject(t.Context(), rec.Subject); err != nil {
		t.Fatalf("DeleteBySubject: %v", err)
	}
	wantErr(t, "Update", s.Update(t.Context(), rec), middleware.ErrSessionGone)
	wantGone(t, s, rec.Key)
	if n, err := s.DeleteBySubject(t.Context(), rec.Subject); n != 0 || err != nil {
		t.Errorf("DeleteBySubject again: %d, %v", n, err)
	}
}

func deleteTwice(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	other := create(t, s, record(rec.Subject))
	for range 2 {
		if err := s.Delete(t.Context(), rec.Key); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantGone(t, s, rec.Key)
	}
	if err := s.Delete(t.Context(), record("").Key); err != nil {
		t.Fatalf("Delete of an unknown key: %v", err)
	}
	get(t, s, other.Key)
}

func createAfterDelete(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	rec.Subject = subject()
	if got := create(t, s, rec); got.Version != 1 || got.Subject != rec.Subject {
		t.Errorf("created again: %+v", got)
	}
}

func expired(t *testing.T, s middleware.SessionStore) {
	for _, ago := range []time.Duration{2 * time.Second, time.Hour, 24 * 365 * time.Hour} {
		rec := record(subject())
		rec.ExpiresAt = time.Now().Add(-ago)
		if err := s.Create(t.Context(), rec); err != nil {
			t.Fatalf("Create of a record that expired %v ago: %v", ago, err)
		}
		wantGone(t, s, rec.Key)
		rec.Version = 1
		rec.ExpiresAt = time.Now().Add(time.Hour)
		wantErr(t, "Update of an expired record", s.Update(t.Context(), rec), middleware.ErrSessionGone)
		wantGone(t, s, rec.Key)
	}
}

func expires(t *testing.T, s middleware.SessionStore) {
	short, long := record(subject()), record(subject())
	short.ExpiresAt = time.Now().Add(2 * time.Second)
	if err := s.Create(t.Context(), short); err != nil {
		t.Fatalf("Create: %v", err)
	}
	create(t, s, long)
	// A test of real stores, so the real clock.
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := s.Get(t.Context(), short.Key)
		if errors.Is(err, middleware.ErrSessionGone) {
			break
		}
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the record does not expire")
		}
		time.Sleep(50 * time.Millisecond)
	}
	get(t, s, long.Key)
}

func deleteBySubject(t *testing.T, s middleware.SessionStore) {
	mine, theirs := subject(), subject()
	var keys []string
	for range 3 {
		keys = append(keys, create(t, s, record(mine)).Key)
	}
	other := create(t, s, record(theirs))
	if n, err := s.DeleteBySubject(t.Context(), mine); n != 3 || err != nil {
		t.Errorf("DeleteBySubject: %d, %v, want 3", n, err)
	}
	for _, key := range keys {
		wantGone(t, s, key)
	}
	get(t, s, other.Key)
	if n, err := s.DeleteBySubject(t.Context(), mine); n != 0 || err != nil {
		t.Errorf("DeleteBySubject again: %d, %v, want 0", n, err)
	}
	// A new session of the same subject is not the old one.
	again := create(t, s, record(mine))
	get(t, s, again.Key)
}

func subjectsExactly(t *testing.T, s middleware.SessionStore) {
	base := subject() + "a" // a letter at the end, so that the variants below differ from it
	subjects := []string{
		base, strings.ToUpper(base), base + " ", " " + base, base + "%", "%", "_", base[:len(base)-1] + "_", base + "*", base[:len(base)-1] + "?",
		base + "'", base + `"`, base + `\`, base + ":" + base, base + "é", base + "e\u0301", base + "\u200b", base + strings.Repeat("x", 200), base[:len(base)-1],
	}
	keys := make(map[string]string)
	for _, sub := range subjects {
		rec := create(t, s, record(sub))
		if rec.Subject != sub {
			t.Errorf("subject %q became %q", sub, rec.Subject)
		}
		keys[sub] = rec.Key
	}
	for i, sub := range subjects {
		if n, err := s.DeleteBySubject(t.Context(), sub); n != 1 || err != nil {
			t.Errorf("DeleteBySubject(%q): %d, %v, want 1", sub, n, err)
		}
		wantGone(t, s, keys[sub])
		for _, other := range subjects[i+1:] {
			if _, err := s.Get(t.Context(), keys[other]); err != nil {
				t.Fatalf("DeleteBySubject(%q) touched %q: %v", sub, other, err)
			}
		}
	}
}

const racers = 16

// together runs f in parallel and returns what it returned.
func together(f func(i int) error) []error {
	errs := make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// count returns how many errors are nil, and fails for those that are not want.
func count(t *testing.T, errs []error, want error) int {
	t.Helper()
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		} else if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	return n
}

func oneWinner(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	errs := together(func(i int) error {
		mine := rec
		mine.Data = fmt.Appendf(nil, "by %d", i)
		return s.Update(t.Context(), mine)
	})
	if n := count(t, errs, middleware.ErrSessionConflict); n != 1 {
		t.Errorf("%d of %d updates of one version succeeded, want 1", n, racers)
	}
	got := get(t, s, rec.Key)
	if got.Version != 2 {
		t.Errorf("version %d, want 2", got.Version)
	}
	for i, err := range errs {
		if err == nil && string(got.Data) != fmt.Sprintf("by %d", i) {
			t.Errorf("the winner wrote %q, but a loser's data is stored", got.Data)
		}
	}
}

func noLostUpdate(t *testing.T, s middleware.SessionStore) {
	const each = 4
	rec := record(subject())
	rec.Data = make([]byte, 8)
	create(t, s, rec)
	errs := together(func(int) error {
		for range each {
			for {
				cur, err := s.Get(t.Context(), rec.Key)
				if err != nil {
					return err
				}
				binary.BigEndian.PutUint64(cur.Data, binary.BigEndian.Uint64(cur.Data)+1)
				err = s.Update(t.Context(), cur)
				if err == nil {
					break
				}
				if !errors.Is(err, middleware.ErrSessionConflict) {
					return err
				}
			}
		}
		return nil
	})
	count(t, errs, nil)
	got := get(t, s, rec.Key)
	if n := binary.BigEndian.Uint64(got.Data); n != racers*each || got.Version != racers*each+1 {
		t.Errorf("counted %d in version %d, want %d in %d", n, got.Version, racers*each, racers*each+1)
	}
}

func deleteRace(t *testing.T, s middleware.SessionStore) {
	for round := range 8 {
		rec := create(t, s, record(subject()))
		errs := together(func(i int) error {
			if i == racers/2 {
				if round%2 == 0 {
					return s.Delete(t.Context(), rec.Key)
				}
				_, err := s.DeleteBySubject(t.Context(), rec.Subject)
				return err
			}
			for {
				cur, err := s.Get(t.Context(), rec.Key)
				if errors.Is(err, middleware.ErrSessionGone) {
					return nil
				}
				if err != nil {
					return err
				}
				err = s.Update(t.Context(), cur)
				if err != nil && !errors.Is(err, middleware.ErrSessionConflict) && !errors.Is(err, middleware.ErrSessionGone) {
					return err
				}
			}
		})
		count(t, errs, nil)
		wantGone(t, s, rec.Key)
		if n, err := s.DeleteBySubject(t.Context(), rec.Subject); n != 0 || err != nil {
			t.Errorf("DeleteBySubject after the race: %d, %v, want 0", n, err)
		}
	}
}

func createRace(t *testing.T, s middleware.SessionStore) {
	rec := record(subject())
	errs := together(func(i int) error {
		mine := rec
		mine.Data = fmt.Appendf(nil, "by %d", i)
		return s.Create(t.Context(), mine)
	})
	if n := count(t, errs, middleware.ErrSessionConflict); n != 1 {
		t.Errorf("%d of %d creates of one key succeeded, want 1", n, racers)
	}
}

// cancelled: a store that does not look at the context may answer; one that
// does must not answer with a sentinel, which would sign somebody out.
func cancelled(t *testing.T, s middleware.SessionStore) {
	rec := create(t, s, record(subject()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, rec.Key)
	notSentinel(t, "Get", err)
	notSentinel(t, "Update", s.Update(ctx, rec))
	get(t, s, rec.Key)
}

func notSentinel(t *testing.T, call string, err error) {
	t.Helper()
	if errors.Is(err, middleware.ErrSessionGone) || errors.Is(err, middleware.ErrSessionConflict) {
		t.Errorf("%s with a cancelled context: %v", call, err)
	}
}
