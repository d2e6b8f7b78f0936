package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	cut   atomic.Int32 // at the so manieth write from now on the connection breaks
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
	if c.cut.Load() > 0 && c.cut.Add(-1) == 0 {
		_ = c.Close()
		return 0, net.ErrClosed
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
			later := cfgTime.Add(24 * time.Hour)
			r, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: again.Sub, At: later}, {Sub: native.Sub, At: later}})
			if r.Updated != 2 {
				t.Errorf("RecordSignIns = %+v", r)
			}
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

// Sign-ins take a second trip only if somebody did not move forward. It breaks
// without harm: what moved is in the table by then, and all may come again.
func TestSignInsAskWhoIsUnknown(t *testing.T) {
	t.Parallel()
	later := cfgTime.Add(time.Second)
	for name, row := range map[string]struct {
		batch []users.SignIn
		cut   int32
		want  users.SignInReport
		trips int
	}{
		"all move":               {[]users.SignIn{{Sub: "b", At: later}, {Sub: "a", At: later}}, 0, users.SignInReport{Updated: 2}, 1},
		"one of them twice":      {[]users.SignIn{{Sub: "a", At: later}, {Sub: "b", At: later}, {Sub: "a", At: cfgTime}}, 0, users.SignInReport{Updated: 2}, 1},
		"one is late":            {[]users.SignIn{{Sub: "a", At: later}, {Sub: "b", At: cfgTime}}, 0, users.SignInReport{Updated: 1}, 2},
		"nobody is known":        {[]users.SignIn{{Sub: "z", At: later}, {Sub: "y", At: later}}, 0, users.SignInReport{Unknown: []string{"y", "z"}}, 2},
		"known by another case":  {[]users.SignIn{{Sub: "A", At: later}}, 0, users.SignInReport{Unknown: []string{"A"}}, 2},
		"the first trip breaks":  {[]users.SignIn{{Sub: "a", At: later}, {Sub: "z", At: later}}, 1, users.SignInReport{Updated: 1, Unknown: []string{"z"}}, 2},
		"the second trip breaks": {[]users.SignIn{{Sub: "a", At: later}, {Sub: "z", At: later}}, 2, users.SignInReport{Updated: 1, Unknown: []string{"z"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, plainTable, "INSERT INTO users (cognito_sub, last_login_at) VALUES ('a', '"+cfgTime.Format(time.RFC3339)+"'), ('b', '"+cfgTime.Format(time.RFC3339)+"')")
			var w wire
			cfg := config(t, db.dsn, table.Config{})
			w.use(&cfg)
			s := open(t, cfg)
			if _, err := s.IDBySub(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			w.trips()
			w.cut.Store(row.cut)
			got, err := s.RecordSignIns(t.Context(), row.batch)
			if err != nil || got.Updated != row.want.Updated || !slices.Equal(got.Unknown, row.want.Unknown) {
				t.Errorf("RecordSignIns = %+v, %v", got, err)
			}
			trips := 0
			for _, sent := range w.trips() { // between them, how a connection begins and ends
				if sent == one {
					trips++
				}
			}
			if trips != row.trips {
				t.Errorf("%d trips, want %d", trips, row.trips)
			}
		})
	}
}

// Where the second trip fails for good the caller hears of it, and brings the
// batch again: what had moved is counted no more, and who is unknown still is.
func TestSignInsWithoutTheSecondAnswer(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, plainTable, "INSERT INTO users (cognito_sub) VALUES ('a')")
	var w wire
	cfg := config(t, db.dsn, table.Config{})
	w.use(&cfg)
	s := open(t, cfg)
	if _, err := s.IDBySub(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	batch := []users.SignIn{{Sub: "a", At: cfgTime}, {Sub: "z", At: cfgTime}}
	w.cut.Store(2)
	w.down.Store(true)
	r, err := s.RecordSignIns(t.Context(), batch)
	wantError(t, err, users.ErrUnavailable)
	if r.Updated != 0 || r.Unknown != nil {
		t.Errorf("beside an error: %+v", r)
	}
	w.down.Store(false)
	r, err = s.RecordSignIns(t.Context(), batch)
	if err != nil || r.Updated != 0 || !slices.Equal(r.Unknown, []string{"z"}) {
		t.Errorf("again: %+v, %v", r, err)
	}
}
