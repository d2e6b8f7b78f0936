package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// within is how long a thing may take that happens by itself.
const within = 20 * time.Second

// await polls until the condition holds. An error is a "not yet": connections
// break while servers come and go.
func await(t *testing.T, what string, ok func() (bool, error)) {
	t.Helper()
	var last error
	err := wait(t.Context(), within, what, func() (bool, error) {
		yes, err := ok()
		last = err
		return yes && err == nil, nil
	})
	if err != nil {
		t.Fatal(errors.Join(err, last))
	}
}

// mustSignIn signs somebody in from a new browser, and checks that page, pool
// and table agree on who that is.
func (s *stack) mustSignIn(t *testing.T, who person) tableRow {
	t.Helper()
	v := newVisitor()
	if err := signIn(t.Context(), v, s.board, who); err != nil {
		t.Fatal(err)
	}
	row, err := s.c.rowOf(t.Context(), who)
	if err == nil {
		err = s.c.poolAgrees(v, row)
	}
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// mustBeRefused signs somebody in who cannot be. The app must say so with a
// page of its own, after the pool said the text, or nothing.
func (s *stack) mustBeRefused(t *testing.T, who person, text string) {
	t.Helper()
	v := newVisitor()
	if err := signIn(t.Context(), v, s.board, who); err == nil {
		t.Fatal("signed in")
	}
	said := ""
	for _, h := range v.hops {
		if u, err := h.url.Parse(h.location); err == nil && u.Query().Has("error") {
			said = u.Query().Get("error_description")
		}
	}
	if strings.TrimSpace(said) != text {
		t.Errorf("the pool says %q, want %q", said, text)
	}
	if v.page.url.Path != "/auth/callback" || v.page.status < 400 || v.page.problem() == "" || strings.Contains(v.page.body, "PostConfirmation") {
		t.Errorf("the app shows %s%s", v.page.where(), v.page.problem())
	}
}

// awaitLogin waits until the row's last login is after before.
func (s *stack) awaitLogin(t *testing.T, who person, before time.Time) {
	t.Helper()
	await(t, "last_login_at did not move", func() (bool, error) {
		row, err := s.c.rowOf(t.Context(), who)
		return row.lastLogin.After(before), err
	})
}

// awaitWaiting waits until a function waits for a lock of the database.
func (s *stack) awaitWaiting(t *testing.T) {
	t.Helper()
	await(t, "no statement of a function waits", func() (bool, error) {
		n := 0
		err := s.db.QueryRowContext(t.Context(), s.waiting).Scan(&n)
		return n > 0, err
	})
}

// mustReconcile runs ssoctl reconcile and returns how often it found what.
func (s *stack) mustReconcile(t *testing.T, status int, args ...string) map[string]int {
	t.Helper()
	out, got := s.ssoctl(t, append([]string{"reconcile", "-json"}, args...)...)
	if got != status {
		t.Fatalf("ssoctl reconcile %v: exit status %d, want %d: %s", args, got, status, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum struct {
		Type  string
		Found map[string]int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil || sum.Type != "summary" {
		t.Fatalf("no summary: %v: %s", err, out)
	}
	return sum.Found
}

// wantNobodyLost: pool and table are in step, without any repair.
func (s *stack) wantNobodyLost(t *testing.T) {
	t.Helper()
	s.mustReconcile(t, 0, "-strict")
	s.wantCleanLogs(t)
}

// The database is down when somebody comes for the first time. That fails, and
// the next try is as if it had not; who was there before gets in all the time.
func TestStackDatabaseIsDown(t *testing.T) {
	t.Parallel()
	for topology, split := range topologies {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			server := realtest.NewPostgres(t)
			s := newStack(t, stackConfig{split: split, database: postgresDatabase(t, server.Database(t))})
			known, newcomer := newKakaoPerson("Was There Before"), newKakaoPerson("Comes at a Bad Time")
			s.mustSignIn(t, known)
			s.awaitLogin(t, known, time.Time{})
			first, err := s.c.rowOf(t.Context(), known)
			if err != nil {
				t.Fatal(err)
			}
			server.Stop()
			if err := signIn(t.Context(), newVisitor(), s.board, known); err != nil {
				t.Error(err)
			}
			s.mustBeRefused(t, newcomer, "PostConfirmation failed with error Your account could not be reached. Please try again in a moment.")
			s.mustBeRefused(t, newcomer, "") // the user is in the pool now: it is the token that fails, which only the app sees
			// The first batch has the sign-in from above.
			await(t, "sso-signins gives no message back", func() (bool, error) {
				return slices.ContainsFunc(s.signIns.lines(), func(l map[string]any) bool {
					failed, ok := l["failed"].(float64)
					return ok && failed > 0
				}), nil
			})
			server.Start(t)
			s.awaitLogin(t, known, first.lastLogin.Time) // the message waited
			s.mustSignIn(t, newcomer)
			s.wantNobodyLost(t)
		})
	}
}

// A process dies in the middle of a sign-up, with its statement under way. The
// statement may or may not be carried out; there is one row in the end. If it
// was sso-trigger, nobody wrote the attribute: the next token has the id all
// the same, and leaves the attribute to a later one or to ssoctl
// (docs/decisions/0012).
func TestStackProcessDiesInSignUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		dies    func(*stack) *function
		heals   bool // within the same sign-up
		missing int  // attributes, at most
	}{
		{"sso-dbsync", func(s *stack) *function { return s.dbsync }, true, 0},
		{"sso-trigger", func(s *stack) *function { return s.edge }, false, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackConfig{split: true, database: stackDatabases["postgres"](t)})
			s.mustSignIn(t, newKakaoPerson("First")) // all are started
			dies := row.dies(s)
			starts := dies.Starts()
			unlock, err := s.c.lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			who := newKakaoPerson("Unlucky")
			signedUp := make(chan error)
			go func() { signedUp <- signIn(t.Context(), newVisitor(), s.board, who) }()
			s.awaitWaiting(t)
			dies.Kill()
			unlock()
			if err := <-signedUp; (err == nil) != row.heals {
				t.Errorf("the sign-up ended with %v", err)
			}
			if dies.Starts() <= starts && row.heals {
				t.Error("no process was started again")
			}
			v := newVisitor()
			if err := signIn(t.Context(), v, s.board, who); err != nil {
				t.Fatal(err)
			}
			if got, err := s.c.rowOf(t.Context(), who); err != nil || v.page.text("user-id") != fmt.Sprint(got.id) {
				t.Errorf("the page shows userId %q, the row is %d, %v", v.page.text("user-id"), got.id, err)
			}
			if found := s.mustReconcile(t, 0, "-apply"); len(found) > row.missing || found["attribute_missing"] > row.missing {
				t.Errorf("found %v", found)
			}
			s.mustSignIn(t, who)
			s.wantNobodyLost(t)
		})
	}
}

// The queue is down: sign-ins and sign-ups work as before. The time of a sign-in
// is lost, and counted; that of a sign-up is in the row.
func TestStackQueueIsDown(t *testing.T) {
	t.Parallel()
	sqs := realtest.NewSQS(t)
	s := newStack(t, stackConfig{split: true, database: stackDatabases["postgres"](t), sqs: sqs})
	who := newKakaoPerson("Nobody Writes It Down")
	first := s.mustSignIn(t, who)
	s.mustSignIn(t, who)
	s.awaitLogin(t, who, first.lastLogin.Time)
	sqs.Stop()
	s.mustSignIn(t, who)
	if row := s.mustSignIn(t, newGooglePerson("New at That Time")); row.lastLogin.IsZero() {
		t.Error("who signs up has no last login")
	}
	await(t, "the lost sign-in is not counted", func() (bool, error) {
		lost, counted := 0, 0.0
		for _, l := range s.edge.lines() {
			if l["sign_in_lost"] == true {
				lost++
			}
			if n, ok := l["SignInsLost"].(float64); ok {
				counted += n
			}
		}
		return lost == 1 && counted == 1, nil
	})
	s.wantNobodyLost(t)
}

// A message that nobody can read becomes a dead letter, and holds up no other.
func TestStackPoison(t *testing.T) {
	t.Parallel()
	s := newStack(t, stackConfig{split: true, database: stackDatabases["postgres"](t)})
	poison := []string{`{"v":1,"sub":`, `{"v":99,"sub":"a","at":"2026-03-02T09:00:00Z"}`}
	s.queue.Send(t, poison...)
	who := newKakaoPerson("Among Poison")
	s.mustSignIn(t, who)
	s.awaitLogin(t, who, time.Time{})
	await(t, "the messages do not become dead letters", func() (bool, error) {
		waiting, inFlight, dead := s.queue.Counts(t)
		return waiting == 0 && inFlight == 0 && dead == len(poison), nil
	})
	dead := s.queue.DeadLetters(t)
	slices.Sort(dead)
	slices.Sort(poison)
	if !slices.Equal(dead, poison) {
		t.Errorf("dead letters %q", dead)
	}
	reasons := map[any]int{}
	for _, l := range s.signIns.lines() {
		if l["msg"] == "sign-in cannot be recorded" {
			reasons[l["reason"]]++
		}
	}
	if len(reasons) == 0 || reasons[nil]+reasons[""] > 0 {
		t.Errorf("reasons %v: %s", reasons, &s.signIns.log)
	}
	s.wantCleanLogs(t)
}

// sso-signins dies while it writes: the messages come again, and are written.
func TestStackConsumerDies(t *testing.T) {
	t.Parallel()
	for kind, database := range stackDatabases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackConfig{split: true, database: database(t)})
			who := newKakaoPerson("Twice")
			s.mustSignIn(t, who)
			s.awaitLogin(t, who, time.Time{})
			before, err := s.c.rowOf(t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			starts := s.signIns.Starts()
			unlock, err := s.c.lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			if err := signIn(t.Context(), newVisitor(), s.board, who); err != nil {
				t.Fatal(err)
			}
			s.awaitWaiting(t)
			s.signIns.Kill()
			unlock()
			s.awaitLogin(t, who, before.lastLogin.Time)
			await(t, "the message was not delivered again", func() (bool, error) {
				waiting, inFlight, dead := s.queue.Counts(t)
				return waiting+inFlight+dead == 0 && s.signIns.Starts() > starts, nil
			})
			s.wantCleanLogs(t)
		})
	}
}

// Which tokens carry the id depends on the version of the pool's trigger.
func TestStackTokenVersions(t *testing.T) {
	t.Parallel()
	for version, inAccess := range map[string]bool{"V1_0": false, "V2_0": true, "V3_0": true} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackConfig{split: true, database: stackDatabases["postgres"](t), pool: func(p *ssotest.Config) {
				p.Triggers.PreTokenGenerationVersion = version
			}})
			who := newKakaoPerson("Any Version")
			for _, visit := range []string{"first", "second"} {
				tokens, err := s.c.takeTokens(t.Context(), newVisitor(), s.board, who)
				if err != nil {
					t.Fatal(err)
				}
				row, err := s.c.rowOf(t.Context(), who)
				if err != nil {
					t.Fatal(err)
				}
				for use, token := range map[string]string{"id": tokens.ID, "access": tokens.Access} {
					m, err := claims(token)
					if err != nil {
						t.Fatal(err)
					}
					var want any
					if use == "id" || inAccess {
						want = strconv.FormatInt(row.id, 10)
					}
					if m["custom:userId"] != want || m["sub"] != row.sub {
						t.Errorf("%s sign-in: the %s token has custom:userId %v, want %v", visit, use, m["custom:userId"], want)
					}
				}
			}
		})
	}
}

// Somebody is deleted in the pool and comes again, with another sub: it is the
// same row, and there is a record of it.
func TestStackMove(t *testing.T) {
	t.Parallel()
	for kind, database := range stackDatabases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackConfig{split: true, database: database(t)})
			who := newKakaoPerson("Deleted and Back")
			first := s.mustSignIn(t, who)
			before := s.mustSignIn(t, who)
			s.awaitLogin(t, who, first.lastLogin.Time)
			began := time.Now()
			if _, err := s.cognito.AdminDeleteUser(t.Context(), &cognitoidentityprovider.AdminDeleteUserInput{
				UserPoolId: aws.String(s.pool.ID()), Username: aws.String(who.provider + "_" + who.subject),
			}); err != nil {
				t.Fatal(err)
			}
			after := s.mustSignIn(t, who)
			if after.id != before.id || after.sub == before.sub {
				t.Errorf("row %d with sub %s, then %d with %s", before.id, before.sub, after.id, after.sub)
			}
			if after.lastLogin.Before(began.Add(-time.Millisecond)) {
				t.Errorf("the new sub came after %s, and the row says %s", began, after.lastLogin.Time)
			}
			var moves int
			var id, provider, from, to string
			if err := s.db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM sso_moves), user_id, provider, from_sub, to_sub FROM sso_moves").
				Scan(&moves, &id, &provider, &from, &to); err != nil {
				t.Fatal(err)
			}
			if moves != 1 || id != fmt.Sprint(before.id) || provider != "Kakao" || from != before.sub || to != after.sub {
				t.Errorf("%d moves: of row %s, %s, from %s to %s", moves, id, provider, from, to)
			}
			s.wantNobodyLost(t)
		})
	}
}

// Many browsers sign the same new person up at once, on functions with several
// instances: one row, and all of them get its id.
func TestStackManyTabs(t *testing.T) {
	t.Parallel()
	for kind, database := range stackDatabases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, stackConfig{split: true, database: database(t)})
			const tabs = 5
			who := newKakaoPerson("Many Tabs")
			shown := make(chan string, tabs)
			for range tabs {
				go func() {
					v := newVisitor()
					err := signIn(t.Context(), v, s.board, who)
					if err != nil {
						shown <- err.Error()
						return
					}
					shown <- v.page.text("user-id")
				}()
			}
			var seen []string
			for range tabs {
				seen = append(seen, <-shown)
			}
			want := fmt.Sprint(s.mustSignIn(t, who).id)
			for _, id := range seen {
				if id != want {
					t.Errorf("a tab shows %q, the row is %s", id, want)
				}
			}
			s.wantNobodyLost(t)
		})
	}
}

// ssoctl reconcile finds every kind of drift that was seeded, repairs it, and
// finds nothing more.
func TestStackReconcile(t *testing.T) {
	t.Parallel()
	for topology, split := range topologies {
		for kind, database := range stackDatabases {
			t.Run(topology+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := newStack(t, stackConfig{split: split, database: database(t)})
				people := []person{newKakaoPerson("A"), newGooglePerson("B"), newKakaoPerson("C"), newGooglePerson("D")}
				var rows []tableRow
				for _, who := range people {
					rows = append(rows, s.mustSignIn(t, who))
					if who == people[0] { // so that the queue has had work, too
						s.mustSignIn(t, who)
						s.awaitLogin(t, who, rows[0].lastLogin.Time)
					}
				}
				s.wantNobodyLost(t)
				s.setUserID(t, people[0], strconv.FormatInt(rows[1].id, 10)) // somebody else's
				s.setUserID(t, people[1], "999999")                          // nobody's
				s.setUserID(t, people[2], "")                                // none
				if _, err := s.db.ExecContext(t.Context(), s.c.sql("DELETE FROM users WHERE id = ?"), rows[3].id); err != nil {
					t.Fatal(err)
				}
				want := map[string]int{"attribute_of_another": 1, "attribute_differs": 1, "attribute_missing": 1, "user_without_row": 1}
				s.wantFound(t, want, 1)           // a dry run
				s.wantFound(t, want, 1)           // which changed nothing
				s.wantFound(t, want, 0, "-apply") // all are repaired
				s.wantNobodyLost(t)
				for i, who := range people[:3] {
					if row := s.mustSignIn(t, who); row.id != rows[i].id {
						t.Errorf("row %d became %d", rows[i].id, row.id)
					}
				}
				s.mustSignIn(t, people[3])
			})
		}
	}
}

func (s *stack) wantFound(t *testing.T, want map[string]int, status int, args ...string) {
	t.Helper()
	found := s.mustReconcile(t, status, args...)
	for kind, n := range found {
		if n != want[kind] {
			t.Errorf("%v: found %d × %s, want %d", args, n, kind, want[kind])
		}
	}
	for kind, n := range want {
		if n != found[kind] {
			t.Errorf("%v: found %d × %s, want %d", args, found[kind], kind, n)
		}
	}
}

// setUserID writes the attribute behind the triggers' back; "" removes it.
func (s *stack) setUserID(t *testing.T, who person, id string) {
	t.Helper()
	ctx, pool, user := context.WithoutCancel(t.Context()), aws.String(s.pool.ID()), aws.String(who.provider+"_"+who.subject)
	var err error
	if id == "" {
		_, err = s.cognito.AdminDeleteUserAttributes(ctx, &cognitoidentityprovider.AdminDeleteUserAttributesInput{
			UserPoolId: pool, Username: user, UserAttributeNames: []string{"custom:userId"},
		})
	} else {
		_, err = s.cognito.AdminUpdateUserAttributes(ctx, &cognitoidentityprovider.AdminUpdateUserAttributesInput{
			UserPoolId: pool, Username: user, UserAttributes: []types.AttributeType{{Name: aws.String("custom:userId"), Value: &id}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
