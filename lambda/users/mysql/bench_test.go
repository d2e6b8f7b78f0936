package mysql_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// BenchmarkRecordSignIns compares a batch with an update for each row, over
// the same connection and table.
func BenchmarkRecordSignIns(b *testing.B) {
	const people = 20_000
	f := setUp(b, starter+";"+moves, table.Config{})
	var values []string
	for n := range people {
		values = append(values, fmt.Sprintf("('%08d-0000-4000-8000-000000000000')", n))
	}
	exec(b, f.db, "INSERT INTO users (cognito_sub) VALUES "+strings.Join(values, ","))
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	batch := func(size int) []users.SignIn {
		at = at.Add(time.Second)
		out := make([]users.SignIn, size)
		for n := range out {
			out[n] = users.SignIn{Sub: values[(n*37)%people][2:38], At: at}
		}
		return out
	}
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprintf("batch of %d", size), func(b *testing.B) {
			for b.Loop() {
				if r, err := f.RecordSignIns(b.Context(), batch(size)); err != nil || r.Updated != size {
					b.Fatalf("RecordSignIns = %+v, %v", r, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/row")
		})
	}
	b.Run("row by row", func(b *testing.B) {
		rows := batch(1000)
		at := rows[0].At
		n := 0
		for b.Loop() {
			if n%len(rows) == 0 {
				at = at.Add(time.Hour)
			}
			row := rows[n%len(rows)]
			if _, err := f.db.ExecContext(b.Context(), "UPDATE users SET last_login_at = ? WHERE cognito_sub = ? AND (last_login_at IS NULL OR last_login_at < ?)",
				at.Format(time.DateTime), row.Sub, at.Format(time.DateTime)); err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/row")
	})
}
