package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// wire is the network between a store and its server.
type wire struct {
	dials atomic.Int32
	down  atomic.Bool  // no new connection
	lost  atomic.Int32 // what the first so many connections send is lost, and nobody says so
	mu    sync.Mutex   // guards sent
	sent  []string     // the message types of each write: a write is a trip
}

func (w *wire) use(cfg *postgres.Config) {
	cfg.Configure = func(p *pgxpool.Config) error {
		dial := p.ConnConfig.DialFunc
		p.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			number := w.dials.Add(1)
			if w.down.Load() {
				return nil, errors.New("no route to host")
			}
			conn, err := dial(ctx, network, addr)
			return &wired{Conn: conn, wire: w, number: number}, err
		}
		return nil
	}
}

// trips returns what was sent since the last call, and forgets it.
func (w *wire) trips() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.sent
	w.sent = nil
	return sent
}

// sink loses the connections that there are.
func (w *wire) sink() { w.lost.Store(w.dials.Load()) }

type wired struct {
	net.Conn
	*wire
	number  int32
	greeted bool
}

func (c *wired) Write(b []byte) (int, error) {
	if c.number <= c.lost.Load() {
		return len(b), nil
	}
	c.mu.Lock()
	c.sent = append(c.sent, messages(b, c.greeted))
	c.greeted = true
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// messages are the types of the messages in b, by
// https://www.postgresql.org/docs/current/protocol-message-formats.html.
func messages(b []byte, typed bool) (types string) {
	if !typed {
		return "greeting"
	}
	for len(b) >= 5 {
		types += string(b[:1])
		b = b[min(len(b), 1+int(binary.BigEndian.Uint32(b[1:]))):]
	}
	return types
}

// one is one statement in one round trip: Parse, Bind, Describe, Execute, Sync.
const one = "PBDES"

func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (kakao_id) VALUES ('77')")
	var w wire
	cfg := config(t, db.dsn, table.Config{})
	w.use(&cfg)
	s := open(t, cfg)
	if n := w.dials.Load(); n != 0 {
		t.Fatalf("Open made %d connections", n)
	}
	outcome := func(id users.Identity, want users.Outcome) func() error {
		return func() error { ensure(t, s, id, want); return nil }
	}
	var sub users.Identity // of the legacy row
	sub.Sub, sub.Provider, sub.Subject, sub.At = "linked-sub", "Kakao", "77", cfgTime
	native := users.Identity{Sub: "native-sub", At: cfgTime}
	completed := users.Identity{Sub: native.Sub, Provider: "Google", Subject: "1", At: cfgTime}
	for i, row := range []struct {
		name string
		call func() error
	}{
		{"the first", func() error { _, err := s.IDBySub(t.Context(), "x"); return err }},
		{"created", outcome(student, users.Created)},
		{"existing", outcome(student, users.Existing)},
		{"linked", outcome(sub, users.Linked)},
		{"moved", outcome(again, users.Moved)},
		{"native", outcome(native, users.Created)},
		{"completed", outcome(completed, users.Existing)},
		{"IDBySub", func() error { _, err := s.IDBySub(t.Context(), again.Sub); return err }},
		{"Get", func() error { _, err := s.Get(t.Context(), "1"); return err }},
		{"Page", func() error { _, err := s.Page(t.Context(), "1", 10); return err }},
		{"RecordSignIns", func() error {
			_, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: again.Sub, At: cfgTime}, {Sub: "unknown", At: cfgTime}, {Sub: native.Sub, At: cfgTime}})
			return err
		}},
	} {
		err := row.call()
		if got := w.trips(); i > 0 && (err != nil || len(got) != 1 || got[0] != one) {
			t.Errorf("%s: %v, %v, want %s once", row.name, got, err, one)
		}
	}
	if n := w.dials.Load(); n != 1 {
		t.Errorf("%d connections for calls in turn", n)
	}
}
