package userfilter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/userfilter"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       userfilter.Filter
		err        error
	}{
		{"none", "", userfilter.Filter{}, nil},
		{"blanks", "  ", userfilter.Filter{}, nil},
		{"exact", `email = "a@b.kr"`, userfilter.Filter{Attribute: "email", Value: "a@b.kr"}, nil},
		{"prefix", `given_name ^= "Jo"`, userfilter.Filter{Attribute: "given_name", Value: "Jo", Prefix: true}, nil},
		{"no blanks", `sub="x"`, userfilter.Filter{Attribute: "sub", Value: "x"}, nil},
		{"blank before the equals sign of a prefix", `sub ^ = "x"`, userfilter.Filter{Attribute: "sub", Value: "x", Prefix: true}, nil},
		{"status", `cognito:user_status = "CONFIRMED"`, userfilter.Filter{Attribute: "cognito:user_status", Value: "CONFIRMED"}, nil},
		{"quotes in the value", `name = "a\"b\\c"`, userfilter.Filter{Attribute: "name", Value: `a"b\c`}, nil},
		{"equals sign in the value", `name = "a=b"`, userfilter.Filter{Attribute: "name", Value: "a=b"}, nil},
		{"empty value", `name = ""`, userfilter.Filter{Attribute: "name"}, nil},
		{"Korean", `name ^= "김"`, userfilter.Filter{Attribute: "name", Value: "김", Prefix: true}, nil},
		{"no operator", `email`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"no quotes", `email = a@b.kr`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"single quotes", `email = 'a@b.kr'`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"open quote", `email = "a`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"one quote", `email = "`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"injection", `email = "a" or sub ^= ""`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"escape at the end", `email = "a\"`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"unknown escape", `email = "\n"`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"no attribute", `= "a"`, userfilter.Filter{}, userfilter.ErrSyntax},
		{"other operator", `email != "a"`, userfilter.Filter{}, userfilter.ErrAttribute},
		{"custom attribute", `custom:userId = "1"`, userfilter.Filter{}, userfilter.ErrAttribute},
		{"too long", `email = "` + strings.Repeat("a", 256) + `"`, userfilter.Filter{}, userfilter.ErrTooLong},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := userfilter.Parse(row.text)
			if got != row.want || !errors.Is(err, row.err) {
				t.Errorf("Parse(%q) = %+v, %v; want %+v, %v", row.text, got, err, row.want, row.err)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		filter, value string
		want          bool
	}{
		{``, "anything", true},
		{`name = "Kim"`, "Kim", true},
		{`name = "Kim"`, "kim", false},
		{`name = "Kim"`, "Kimchi", false},
		{`name ^= "Kim"`, "Kimchi", true},
		{`name ^= "Kim"`, "Ki", false},
		{`cognito:user_status = "confirmed"`, "CONFIRMED", true},
		{`status = "enabled"`, "Enabled", false},
	} {
		f, err := userfilter.Parse(row.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Match(row.value); got != row.want {
			t.Errorf("%s matches %q: %v", row.filter, row.value, got)
		}
	}
}

// FuzzParse: a filter that is read says the same when it is written and read again, and matches its own value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{``, `email = "a"`, `name ^= "a\"b\\"`, `status="Enabled"`, `email = 'a'`, `"`, `sub ^= "" = ""`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := userfilter.Parse(text)
		if err != nil {
			if filter != (userfilter.Filter{}) {
				t.Errorf("a filter beside the error %v", err)
			}
			return
		}
		if !filter.Match(filter.Value) {
			t.Errorf("%+v does not match its own value", filter)
		}
		if again, err := userfilter.Parse(filter.String()); len(filter.String()) <= userfilter.MaxLen && (err != nil || again != filter) {
			t.Errorf("%q reads as %+v, %v; want %+v", filter.String(), again, err, filter)
		}
	})
}
