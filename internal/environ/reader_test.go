package environ_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/environ"
)

// names checks that the error has each of the words, and as many lines.
func names(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		if len(words) > 0 {
			t.Errorf("no error, want one about %s", words)
		}
		return
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(words) {
		t.Errorf("%d mistakes, want %d: %v", len(lines), len(words), err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := environ.NewReader([]string{
		"SSO_A= x ", "SSO_B=1,  2 ,", "SSO_C=TRUE", "SSO_D=1m30s", "SSO_E=7",
		"SSO_G= p ", "SSO_EMPTY= ", "SSO_NOBODY=x", "SSO_ALSO", "OTHER=1", "SSO_H=a=b",
	})
	if r.Required("SSO_A") != "x" || !reflect.DeepEqual(r.RequiredList("SSO_B"), []string{"1", "2", ""}) || !r.Flag("SSO_C") ||
		r.Duration("SSO_D") != 90*time.Second || r.Number("SSO_E") != 7 || r.Raw("SSO_G") != " p " || r.Text("SSO_H") != "a=b" {
		t.Error("a value is not as it was set")
	}
	if r.Text("SSO_EMPTY") != "" || r.List("SSO_EMPTY") != nil || r.Flag("SSO_EMPTY") || r.Duration("SSO_EMPTY") != 0 || r.Number("SSO_EMPTY") != 0 ||
		r.OneOf("SSO_EMPTY", "x", "y") != "x" {
		t.Error("a blank variable has a value")
	}
	names(t, r.Err())
	if got := r.Unknown(); !reflect.DeepEqual(got, []string{"SSO_ALSO", "SSO_NOBODY"}) {
		t.Errorf("unknown = %v", got)
	}
}

func TestReaderMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, value string
		read        func(*environ.Reader)
		want        bool // a mistake
	}{
		{"nothing", "", func(r *environ.Reader) { r.Required("SSO_X") }, true},
		{"spaces", "  ", func(r *environ.Reader) { r.Required("SSO_X") }, true},
		{"an empty list", " ", func(r *environ.Reader) { r.RequiredList("SSO_X") }, true},
		{"yes", "yes", func(r *environ.Reader) { r.Flag("SSO_X") }, true},
		{"1 as true", "1", func(r *environ.Reader) { r.Flag("SSO_X") }, true},
		{"another word", "z", func(r *environ.Reader) { r.OneOf("SSO_X", "x", "y") }, true},
		{"no unit", "5", func(r *environ.Reader) { r.Duration("SSO_X") }, true},
		{"no time", "0s", func(r *environ.Reader) { r.Duration("SSO_X") }, true},
		{"negative time", "-1s", func(r *environ.Reader) { r.Duration("SSO_X") }, true},
		{"zero", "0", func(r *environ.Reader) { r.Number("SSO_X") }, true},
		{"half", "1.5", func(r *environ.Reader) { r.Number("SSO_X") }, true},
		{"too many digits", "99999999999999999999", func(r *environ.Reader) { r.Number("SSO_X") }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := environ.NewReader([]string{"SSO_X=" + row.value})
			row.read(r)
			if row.want {
				names(t, r.Err(), "SSO_X: ")
			} else {
				names(t, r.Err())
			}
		})
	}
}

// A secret that got into a wrong variable is not shown.
func TestMistakesHideValues(t *testing.T) {
	t.Parallel()
	r := environ.NewReader([]string{"SSO_X=hunter2"})
	r.Flag("SSO_X")
	r.OneOf("SSO_X", "a", "b")
	r.Duration("SSO_X")
	r.Number("SSO_X")
	names(t, r.Err(), "SSO_X: is none of false, true", "a, b", "duration", "number")
	if strings.Contains(r.Err().Error(), "hunter2") {
		t.Error(r.Err())
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	errWrapped := errors.New("pkg: bad")
	r := environ.NewReader(nil)
	r.Explain(errors.Join(
		fmt.Errorf("%w: Host: required", errWrapped),
		errors.Join(errors.New(`Providers["a"]: x: Host: y`), errors.New("of no field")),
		fmt.Errorf("two in one: %w: %w", errWrapped, errors.New("z")),
	), map[string]string{"Host": "SSO_HOST", "Providers": "SSO_PROVIDERS"})
	want := "SSO_HOST: pkg: bad: Host: required\nSSO_PROVIDERS: Providers[\"a\"]: x: Host: y\nof no field\ntwo in one: pkg: bad: z"
	if got := r.Err(); got.Error() != want || !errors.Is(got, errWrapped) {
		t.Errorf("error = %v", got)
	}
	r = environ.NewReader(nil)
	r.Explain(nil, nil)
	names(t, r.Err())
}
