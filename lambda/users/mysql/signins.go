package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// most is how many sign-ins one statement takes: some 4 MB at the very worst,
// and 1 MB of Cognito's own subs, below every server's default for a packet.
const most = 10_000

// RecordSignIns implements [users.Store] with one statement, up to 10,000
// subs, and one more to tell who is unknown if not every row moved forward.
// Times are cut to the precision of the column; what it cannot hold at all,
// such as a year beyond 2037 in a TIMESTAMP, is left out. Without a column for
// last logins it returns [users.ErrSchema].
func (s *Store) RecordSignIns(ctx context.Context, batch []users.SignIn) (users.SignInReport, error) {
	const op = "record sign-ins"
	latest := users.Latest(batch)
	// Everybody locks rows in the same order.
	slices.SortFunc(latest, func(a, b users.SignIn) int { return strings.Compare(a.Sub, b.Sub) })
	var report users.SignInReport
	for part := range slices.Chunk(latest, most) {
		var one users.SignInReport
		err := s.do(ctx, op, func(ctx context.Context, c *link, l *layout) (err error) {
			one, err = s.record(ctx, c, l, part)
			return err
		})
		if err != nil {
			return users.SignInReport{}, err
		}
		report.Updated += one.Updated
		report.Unknown = append(report.Unknown, one.Unknown...)
	}
	if len(latest) == 0 {
		return report, classify(ctx, op, ctx.Err())
	}
	return report, nil
}

func (s *Store) record(ctx context.Context, c *link, l *layout, latest []users.SignIn) (report users.SignInReport, err error) {
	if l.login == nil {
		return report, fmt.Errorf("%w: no column for last logins is configured", users.ErrSchema)
	}
	pairs := make([][2]string, 0, len(latest))
	for _, v := range latest {
		at, held := l.login.moment(v.At)
		switch {
		case l.sub.fits(v.Sub) != nil: // no row can have it
			report.Unknown = append(report.Unknown, v.Sub)
		case held:
			pairs = append(pairs, [2]string{v.Sub, at})
		}
	}
	if len(pairs) == 0 {
		return report, nil
	}
	batch, err := newBatch(pairs)
	if err != nil {
		return report, err
	}
	updated, _, err := c.exec(ctx, c, l.moveForward(batch))
	if is(err, errorsWords) { // not the table's fault: the caller may find out whose value it is
		return report, fmt.Errorf("%w: %w", users.ErrInvalid, scrub(err))
	}
	if err != nil {
		return report, err
	}
	report.Updated = int(updated)
	if report.Updated == len(pairs) {
		return report, nil
	}
	rows, err := c.rows(ctx, c, 1, l.unknown(batch))
	for _, r := range rows {
		report.Unknown = append(report.Unknown, r[0].String)
	}
	slices.Sort(report.Unknown)
	return report, err
}

// batch is rows (sub, at), as JSON.
type batch struct {
	json string
	// rows makes a table j of them. Its columns are no longer than they must
	// be: the server fills every row of it up to the full width.
	rows string
}

func newBatch(pairs [][2]string) (batch, error) {
	longest := 1
	for _, p := range pairs {
		longest = max(longest, utf8.RuneCountInString(p[0]))
	}
	text, err := json.Marshal(pairs)
	return batch{string(text), "JSON_TABLE(?, '$[*]' COLUMNS (sub VARCHAR(" + strconv.Itoa(longest) + ") CHARACTER SET utf8mb4 PATH '$[0]', " +
		"at VARCHAR(" + strconv.Itoa(len(timeLayout)) + ") CHARACTER SET utf8mb4 PATH '$[1]')) AS j"}, err
}

// moveForward is the statement for a batch. STRAIGHT_JOIN keeps its order, in
// which every other batch locks rows too.
func (l *layout) moveForward(b batch) *query {
	at := l.login.of("u")
	return newQuery("UPDATE (SELECT j.sub AS sub, CAST(j.at AS DATETIME(6)) AS at FROM "+b.rows+") AS v STRAIGHT_JOIN "+
		l.table+" AS u ON "+l.isSub("u", "v")+" SET "+at+" = v.at WHERE "+at+" IS NULL OR "+at+" < v.at", b.json)
}

// unknown is who of the batch has no row.
func (l *layout) unknown(b batch) *query {
	return newQuery("SELECT v.sub FROM (SELECT j.sub AS sub FROM "+b.rows+") AS v LEFT JOIN "+
		l.table+" AS u ON "+l.isSub("u", "v")+" WHERE "+l.id.of("u")+" IS NULL", b.json)
}

// isSub compares the column with a column of the batch, by the column's own
// collation for its index, and then by the bytes.
func (l *layout) isSub(table, batch string) string {
	ref, sub := l.sub.of(table), batch+".sub"
	bytes := "CAST(" + sub + " AS BINARY)"
	if l.sub.isBytes() {
		return ref + " = " + bytes
	}
	same := ref + " = CONVERT(" + sub + " USING " + l.sub.charset + ") COLLATE " + l.sub.collation
	if l.sub.isExact() {
		return same
	}
	return same + " AND " + exact(ref) + " = " + bytes
}

// timeLayout is a time in UTC as both servers read and write it.
const timeLayout = "2006-01-02 15:04:05.000000"

// timeParam makes a time of a parameter in timeLayout.
const timeParam = "CAST(? AS DATETIME(6))"

// moment is a time as the column holds it, cut to its precision; "" and false
// for one that it cannot hold.
func (c column) moment(at time.Time) (text string, held bool) {
	at = at.UTC().Truncate(c.tick())
	if !c.holds(at) {
		return "", false
	}
	return at.Format(timeLayout), true
}

// tick is the column's precision.
func (c column) tick() time.Duration {
	tick := time.Second
	for range c.precision {
		tick /= 10
	}
	return tick
}

// holds reports a time within what MySQL's manual promises for the type.
func (c column) holds(at time.Time) bool {
	if c.kind == "timestamp" {
		return at.Unix() >= 1 && at.Unix() < 1<<31-1
	}
	return at.Year() >= 1000 && at.Year() <= 9999
}
