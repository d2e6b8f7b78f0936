package lambda_test

import (
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

func TestSignInAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		at   time.Time
		want bool
	}{
		"a year ago":               {now.AddDate(-1, 0, 0), false},
		"now":                      {now, false},
		"at the bound":             {now.Add(5 * time.Minute), false},
		"beyond it":                {now.Add(5*time.Minute + time.Nanosecond), true},
		"ahead in another zone":    {now.Add(time.Hour).In(time.FixedZone("", -9*3600)), true},
		"of today in another zone": {now.In(time.FixedZone("", 9*3600)), false},
	} {
		if got := (lambda.SignIn{At: row.at}).Ahead(now); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
