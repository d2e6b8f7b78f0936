package crash_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// counter is what a violation counts as.
type counter string

const (
	// lost: somebody who was told an id has no row, an old row is not what it
	// was, somebody cannot get in.
	lost counter = "lost"
	// doubled: two rows with one sub, or one id at a provider; a row of nobody.
	doubled counter = "doubled"
	// wrong: an id that names another's row, or a sub in it.
	wrong counter = "wrong"
	// movedBack: a last login became older, or is one that nobody sent.
	movedBack counter = "moved_back"
	// undelivered: a sign-in that the queue took is not recorded, or none of
	// somebody who signed up.
	undelivered counter = "undelivered"
)

var counters = []counter{lost, doubled, wrong, movedBack, undelivered}

// report is what a run found.
type report struct {
	kills, signUps, signIns int
	found                   map[counter]int
	violations              []string
}

func (r *report) say(c counter, p *person, format string, args ...any) {
	text := fmt.Sprintf("VIOLATION (%s): ", c) + fmt.Sprintf(format, args...)
	if p != nil {
		p.change(func() {
			text += fmt.Sprintf("\n  person %d, %s, sub %s\n  %s", p.n, p.username, p.sub, strings.Join(p.history, "\n  "))
		})
	}
	r.found[c]++
	r.violations = append(r.violations, text)
}

func (r *report) line() string {
	text := fmt.Sprintf("CRASH kills=%d signups=%d signins=%d", r.kills, r.signUps, r.signIns)
	for _, c := range counters {
		text += fmt.Sprintf(" %s=%d", c, r.found[c])
	}
	return text
}

// rowsOf finds the rows of each person, by all that names one.
func (r *report) rowsOf(people []*person, rows []row) map[*person][]row {
	bySub, bySubject := map[string]*person{}, map[[2]string]*person{}
	for _, p := range people {
		bySub[p.sub], bySubject[[2]string{p.provider, p.subject}] = p, p
	}
	of := map[*person][]row{}
	for _, one := range rows {
		owners := map[*person]bool{}
		for _, p := range []*person{bySub[one.Sub], bySubject[[2]string{"Kakao", one.Kakao}], bySubject[[2]string{"Google", one.Google}]} {
			if p != nil && !owners[p] {
				owners[p] = true
				of[p] = append(of[p], one)
			}
		}
		switch {
		case len(owners) > 1:
			r.say(wrong, nil, "row %d is of %d people", one.ID, len(owners))
		case len(owners) == 0 && one.No == "none":
			r.say(doubled, nil, "row %d is of nobody", one.ID)
		}
	}
	return of
}

// rows judges the table.
func (r *report) rows(people []*person, rows []row) {
	r.unique(rows)
	of := r.rowsOf(people, rows)
	for _, p := range people {
		r.person(p, of[p])
	}
}

// unique looks for two rows with one sub, or one id at a provider.
func (r *report) unique(rows []row) {
	seen := map[string]int64{}
	for _, one := range rows {
		for _, key := range []string{"sub " + one.Sub, "Kakao " + one.Kakao, "Google " + one.Google} {
			if strings.HasSuffix(key, " ") {
				continue
			}
			if other, there := seen[key]; there {
				r.say(doubled, nil, "rows %d and %d have the same %s", other, one.ID, strings.Fields(key)[0])
			}
			seen[key] = one.ID
		}
	}
}

func (r *report) person(p *person, mine []row) {
	if p.out {
		r.say(lost, p, "cannot sign in though nothing is broken any more")
	}
	if len(mine) == 0 {
		r.say(lost, p, "has no row")
		return
	}
	one := mine[0]
	if subject := map[string]string{"Kakao": one.Kakao, "Google": one.Google}[p.provider]; one.Sub != p.sub || subject != p.subject {
		r.say(wrong, p, "row %d has sub %q and id %q", one.ID, one.Sub, subject)
	}
	for _, id := range p.ids {
		if !slices.ContainsFunc(mine, func(o row) bool { return strconv.FormatInt(o.ID, 10) == id }) {
			r.say(wrong, p, "was told id %q, and has row %d", id, one.ID)
		}
	}
	if l := p.legacy; l != nil {
		want := row{ID: l.id, Sub: one.Sub, Kakao: l.kakao, Email: l.email, Name: l.name, No: l.no, Remark: l.remark, Login: one.Login}
		if one != want {
			r.say(lost, p, "the old row is %+v, and was %+v", one, *l)
		}
	}
}

// known looks for people who were told that they are in, and have no row.
func (r *report) known(people []*person, rows []row) {
	subs := map[string]bool{}
	for _, one := range rows {
		subs[one.Sub] = true
	}
	for _, p := range people {
		if p.known && !subs[p.sub] {
			r.say(lost, p, "was let in without a row")
		}
	}
}

// logins judges the last logins against what was sent.
func (r *report) logins(people []*person, rows []row) {
	bySub := map[string]row{}
	for _, one := range rows {
		bySub[one.Sub] = one
	}
	for _, p := range people {
		var login time.Time
		if l := bySub[p.sub].Login; l != nil {
			login = *l
		}
		if login.Add(rounding).Before(p.due) {
			r.say(undelivered, p, "the last login is %s, and the queue took one of %s", login.UTC().Format(clock), p.due.Format(clock))
		}
		if p.signedUp && login.IsZero() && len(p.unsent) == 0 {
			r.say(undelivered, p, "signed up, and has no last login")
		}
		if !login.IsZero() && !slices.ContainsFunc(p.sent, func(at time.Time) bool { return at.Sub(login).Abs() <= rounding }) {
			r.say(movedBack, p, "the last login is %s, which nobody sent", login.UTC().Format(clock))
		}
	}
}

// rounding is how far PostgreSQL's time may be from ours, which is finer.
const rounding = time.Microsecond

// journal judges every single change.
func (r *report) journal(changes []change) {
	for _, c := range changes {
		switch {
		case c.Op == "DELETE":
			r.say(lost, nil, "row %d was deleted", c.ID)
		case c.OldSub != "" && c.NewSub != c.OldSub:
			r.say(wrong, nil, "row %d lost its sub", c.ID)
		case c.OldLogin != nil && (c.Login == nil || c.Login.Before(*c.OldLogin)):
			r.say(movedBack, nil, "the last login of row %d went back", c.ID)
		}
	}
}
