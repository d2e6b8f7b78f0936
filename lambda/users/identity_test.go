package users_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func TestLatest(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	seoul := time.FixedZone("KST", 9*60*60)
	for name, tc := range map[string]struct{ batch, want []users.SignIn }{
		"nothing":            {nil, []users.SignIn{}},
		"the later one wins": {[]users.SignIn{{"a", at.Add(1)}, {"a", at.Add(3)}, {"a", at.Add(2)}}, []users.SignIn{{"a", at.Add(3)}}},
		"order of appearance": {
			[]users.SignIn{{"b", at}, {"a", at}, {"b", at}}, []users.SignIn{{"b", at}, {"a", at}}},
		"instants, not clocks": {[]users.SignIn{{"a", at}, {"a", at.Add(-time.Hour).In(seoul)}}, []users.SignIn{{"a", at}}},
		"no sub, no time":      {[]users.SignIn{{"", at}, {"a", time.Time{}}}, []users.SignIn{}},
		"year 0 and 10000":     {[]users.SignIn{{"a", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}, {"a", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}, []users.SignIn{}},
		"broken sub":           {[]users.SignIn{{"a\xff", at}, {"a\x00", at}}, []users.SignIn{}},
	} {
		if got := users.Latest(tc.batch); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: Latest = %v, want %v", name, got, tc.want)
		}
	}
}

func TestSignedIn(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		at time.Time
		ok bool
	}{
		"a time":                 {monday, true},
		"in another time zone":   {monday.In(time.FixedZone("KST", 9*60*60)), true},
		"none":                   {time.Time{}, false},
		"the year 0":             {time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), false},
		"the last moment":        {time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), true},
		"the year 10000":         {time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"the year 10000 in UTC":  {time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*60*60)), false},
		"the year 0 but for UTC": {time.Date(0, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*60*60)), true},
	} {
		at, ok := users.Identity{At: row.at}.SignedIn()
		if ok != row.ok || ok && (!at.Equal(row.at) || at.Location() != time.UTC) {
			t.Errorf("%s: %v, %v", name, at, ok)
		}
	}
}
