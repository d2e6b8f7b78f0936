package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Counter is what a violation counts as.
type Counter string

// The counters of the last line.
const (
	// Lost: somebody cannot get in or has no row, a token has no userId, an
	// old row or what it held is gone, or a sign-in that the queue took, or a
	// sign-up that ended well, is nowhere.
	Lost Counter = "lost"
	// Doubled: two rows for one sub, or for one id at a provider, or for
	// nobody at all.
	Doubled Counter = "doubled"
	// Wrong: a token or a row names somebody else.
	Wrong Counter = "wrong"
	// MovedBack: a last login became older, or is one that nobody sent.
	MovedBack Counter = "moved_back"
	// Drift: pool and table differ after everything was made good.
	Drift Counter = "drift"
)

// Violation is a broken promise.
type Violation struct {
	Counter Counter
	What    string
	// Person and History tell whose life it is; Person is -1 for nobody's.
	Person  int
	History []string
}

// judge compares what the reader found with what the model knows.
type judge struct {
	w       *world
	rows    []row
	byID    map[int64]row
	found   []Violation
	bySub   map[string]*person
	byIdent map[[2]string]*person
}

func (w *world) newJudge(rows []row) *judge {
	j := &judge{w: w, rows: rows, byID: map[int64]row{}, bySub: map[string]*person{}, byIdent: map[[2]string]*person{}}
	for _, r := range rows {
		j.byID[r.id] = r
	}
	for _, p := range w.people {
		for _, sub := range p.subs {
			j.bySub[sub] = p
		}
		if p.kind.linked() {
			j.byIdent[[2]string{p.kind.provider(), p.subject}] = p
		}
	}
	return j
}

// logins looks at the last logins only: whether every sign-in that the queue
// took was recorded, before later ones hide it.
func (j *judge) logins() {
	for _, p := range j.w.people {
		if a, ok := j.w.pool.find(p.username); ok {
			for _, r := range j.rowsOf(p) {
				j.login(p, a, r)
			}
		}
	}
}

// signedIn looks for drift of those who signed in once more, before
// reconciliation hides it.
func (j *judge) signedIn() {
	for _, p := range j.w.people {
		if a, ok := j.w.pool.find(p.username); ok && p.last {
			j.drift(p, a, j.rowsOf(p))
		}
	}
}

func (w *world) judge(rows []row, journal []change) []Violation {
	j := w.newJudge(rows)
	j.unique()
	j.owned()
	for _, p := range w.people {
		j.person(p)
	}
	for _, p := range w.truth.out {
		j.say(Lost, p, "cannot sign in though nothing is broken any more")
	}
	for _, k := range w.truth.tokens {
		j.token(k)
	}
	for _, c := range journal {
		j.change(c)
	}
	return j.found
}

func (j *judge) say(c Counter, p *person, format string, args ...any) {
	v := Violation{Counter: c, What: fmt.Sprintf(format, args...), Person: -1}
	if p != nil {
		v.Person, v.History = p.n, slices.Clone(p.history)
	}
	j.found = append(j.found, v)
}

// unique looks for two rows with one sub, or one id at a provider.
func (j *judge) unique() {
	for name, key := range map[string]func(row) string{
		"sub":       func(r row) string { return r.sub },
		"Kakao id":  func(r row) string { return r.kakao },
		"Google id": func(r row) string { return r.google },
	} {
		first := map[string]row{}
		for _, r := range j.rows {
			k := key(r)
			if k == "" {
				continue
			}
			if other, there := first[k]; there {
				j.say(Doubled, j.owner(r), "rows %d and %d have the same %s", other.id, r.id, name)
			}
			first[k] = r
		}
	}
}

// owner is the person whom a row says that it belongs to, or nil.
func (j *judge) owner(r row) *person {
	for _, key := range [][2]string{{"Kakao", r.kakao}, {"Google", r.google}} {
		if p := j.byIdent[key]; p != nil {
			return p
		}
	}
	return j.bySub[r.sub]
}

// owned looks for rows of nobody, and of two people at once.
func (j *judge) owned() {
	for _, r := range j.rows {
		p := j.owner(r)
		switch {
		case p == nil:
			j.say(Doubled, nil, "row %d belongs to nobody", r.id)
		case r.sub != "" && j.bySub[r.sub] != p:
			j.say(Wrong, p, "row %d has the sub of somebody else", r.id)
		}
	}
}

func (j *judge) person(p *person) {
	mine := j.rowsOf(p)
	j.legacy(p)
	a, signedUp := j.w.pool.find(p.username)
	switch {
	case !signedUp:
		j.say(Lost, p, "has no user in the pool at the end")
		return
	case !slices.ContainsFunc(mine, func(r row) bool { return r.sub == a.sub || (p.kind.linked() && r.at(p.kind.provider()) == p.subject) }):
		j.say(Lost, p, "has a user in the pool and no row")
		return
	case p.kind.linked() && len(mine) > 1:
		j.say(Doubled, p, "has %d rows", len(mine))
	}
	j.drift(p, a, mine)
	for _, r := range mine {
		j.login(p, a, r)
	}
}

// rowsOf are the rows that have any sub of the person, or the id at the provider.
func (j *judge) rowsOf(p *person) []row {
	var mine []row
	for _, r := range j.rows {
		if (r.sub != "" && slices.Contains(p.subs, r.sub)) || (p.kind.linked() && r.at(p.kind.provider()) == p.subject) {
			mine = append(mine, r)
		}
	}
	return mine
}

// legacy looks for what an old row must still have.
func (j *judge) legacy(p *person) {
	l := p.legacy
	if l == nil {
		return
	}
	r, there := j.byID[l.ID]
	want := row{id: l.ID, kakao: l.Kakao, email: l.Email, name: l.Name, no: l.StudentNo, note: l.Note, sub: r.sub, google: r.google, login: r.login}
	if !there || r != want {
		j.say(Lost, p, "the old row %d is not what it was: there %v, now %+v", l.ID, there, r)
	}
}

// drift compares the user in the pool with the row of the sub.
func (j *judge) drift(p *person, a *account, mine []row) {
	i := slices.IndexFunc(mine, func(r row) bool { return r.sub == a.sub })
	switch has := j.w.pool.snapshot(a)[attribute]; {
	case i < 0:
		j.say(Drift, p, "the row does not have the user's sub")
	case has != strconv.FormatInt(mine[i].id, 10):
		j.say(Drift, p, "the user's attribute is %q, the row %d", has, mine[i].id)
	}
}

// login checks the last login of a row against what was sent.
func (j *judge) login(p *person, a *account, r row) {
	most := j.w.truth.most(p.subs)
	if r.login.After(most.Add(time.Microsecond)) {
		j.say(MovedBack, p, "row %d has the last login %v, and the newest that was sent is %v", r.id, r.login, most)
	}
	if r.sub != a.sub {
		return // the user was deleted in the pool: nobody writes there any more
	}
	if due := j.w.truth.due(a.sub); r.login.Before(due.Add(-time.Microsecond)) {
		j.say(Lost, p, "row %d has the last login %v, and the queue took one of %v", r.id, r.login, due)
	}
	if first := j.w.truth.first(a.sub); r.login.Before(first) {
		j.say(Lost, p, "row %d has the last login %v, and the sign-up was after %v", r.id, r.login, first)
	}
}

// token checks that a token names the row of its person.
func (j *judge) token(k token) {
	switch {
	case k.id == "" || (k.both && k.access == ""):
		j.say(Lost, k.person, "%s: a token has no userId", k.flow)
		return
	case k.both && k.access != k.id:
		j.say(Wrong, k.person, "%s: the tokens have the ids %q and %q", k.flow, k.id, k.access)
		return
	}
	id, err := strconv.ParseInt(k.id, 10, 64)
	r, there := j.byID[id]
	right := r.sub == k.sub
	if k.person.kind.linked() {
		right = r.at(k.person.kind.provider()) == k.person.subject
	}
	if err != nil || !there || !right {
		j.say(Wrong, k.person, "%s: a token names row %q, which is not the person's", k.flow, k.id)
	}
}

// change checks one entry of the database's own journal.
func (j *judge) change(c change) {
	p := j.owner(c.old)
	switch {
	case c.op == "INSERT":
		return
	case c.op == "DELETE":
		j.say(Lost, p, "row %d was deleted", c.old.id)
		return
	case c.old.id != c.now.id:
		j.say(Lost, p, "row %d became row %d", c.old.id, c.now.id)
	case c.now.login.Before(c.old.login):
		j.say(MovedBack, p, "the last login of row %d went back from %v to %v", c.old.id, c.old.login, c.now.login)
	}
	for _, ids := range [][2]string{{c.old.kakao, c.now.kakao}, {c.old.google, c.now.google}} {
		if ids[0] != "" && ids[0] != ids[1] {
			j.say(Lost, p, "row %d lost its id at the provider", c.old.id)
		}
	}
	if c.now.sub != c.old.sub && j.bySub[c.now.sub] != j.owner(c.now) {
		j.say(Wrong, p, "row %d got the sub of somebody else", c.now.id)
	}
}
