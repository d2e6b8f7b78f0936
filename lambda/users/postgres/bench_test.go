package postgres_test

import (
	"fmt"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/postgres"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// filled is a store over a table with n users, sub-1 and on.
func filled(b *testing.B, n int) *postgres.Store {
	b.Helper()
	dsn := realtest.Postgres(b)
	db := connectTo(b, dsn, plainTable,
		fmt.Sprintf("INSERT INTO users (cognito_sub, kakao_id) SELECT 'sub-' || n, n FROM generate_series(1, %d) AS n", n), "ANALYZE users")
	return open(b, config(b, db.dsn, table.Config{}))
}

func BenchmarkEnsure(b *testing.B) {
	s := filled(b, 10_000)
	for name, who := range map[string]func(i int) users.Identity{
		"existing": func(int) users.Identity { return users.Identity{Sub: "sub-5", Provider: "Kakao", Subject: "5"} },
		"created": func(i int) users.Identity {
			return users.Identity{Sub: fmt.Sprintf("new-%d-%d", b.N, i), Provider: "Kakao", Subject: fmt.Sprintf("%d-%d", b.N, i)}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := s.Ensure(b.Context(), who(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecordSignIns shows the time of a batch, per sign-in, over tables of
// two sizes.
func BenchmarkRecordSignIns(b *testing.B) {
	for _, rows := range []int{1_000, 100_000} {
		s := filled(b, rows)
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("rows=%d/batch=%d", rows, size), func(b *testing.B) {
				at, batch := cfgTime, make([]users.SignIn, size)
				for b.Loop() {
					at = at.Add(1e9)
					for i := range batch {
						batch[i] = users.SignIn{Sub: fmt.Sprintf("sub-%d", 1+i*(rows/size)), At: at}
					}
					if _, err := s.RecordSignIns(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/sign-in")
			})
		}
	}
}
