package exactjson_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/exactjson"
)

type inner struct {
	Name string
}

type outer struct {
	inner
	Flag bool           `json:"autoConfirmUser"`
	List []string       `json:"list,omitempty"`
	Any  map[string]any `json:"any"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       outer
		wrong      bool
	}{
		{"exact", `{"autoConfirmUser":true,"Name":"a","list":["b"]}`, outer{inner: inner{"a"}, Flag: true, List: []string{"b"}}, false},
		{"other case", `{"AutoConfirmUser":true,"name":"a","LIST":["b"]}`, outer{}, false},
		{"other case beside it", `{"autoConfirmUser":true,"autoconfirmuser":false}`, outer{Flag: true}, false},
		{"Kelvin sign", `{"lıst":["b"],"liſt":["b"]}`, outer{}, false},
		{"a number keeps its digits", `{"any":{"n":9007199254740993}}`, outer{Any: map[string]any{"n": json.Number("9007199254740993")}}, false},
		{"null", `null`, outer{}, false},
		{"wrong type", `{"autoConfirmUser":"true"}`, outer{}, true},
		{"array", `[]`, outer{}, true},
		{"two values", `{} {}`, outer{}, true},
		{"broken", `{`, outer{}, true},
		{"nothing", ``, outer{}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got outer
			err := exactjson.Unmarshal([]byte(row.text), &got)
			if (err != nil) != row.wrong || (err == nil && !reflect.DeepEqual(got, row.want)) {
				t.Errorf("%s reads as %+v, %v", row.text, got, err)
			}
		})
	}
}
