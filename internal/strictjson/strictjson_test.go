package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

var limits = strictjson.Limits{Depth: 4, Values: 10}

func object(data string, l strictjson.Limits) (map[string]string, error) {
	m := map[string]string{}
	err := strictjson.Object([]byte(data), l, func(name, value []byte) {
		m[string(name)] = string(value)
	})
	return m, err
}

func TestObject(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ data, want string }{
		{`{}`, `map[]`},
		{` { } `, `map[]`},
		{`{"a":1,"b":"x","c":[1, 2],"d":{"e":null}}`, `map[a:1 b:"x" c:[1, 2] d:{"e":null}]`},
		{`{ "a" : "x\ty" }`, `map[a:"x\ty"]`},
		{`{"\u0061b":1}`, `map[ab:1]`},
		{`{"":1}`, `map[:1]`},
		{`{"a":1,"A":2}`, `map[A:2 a:1]`},
		{`{"a":"\\\"}{]["}`, `map[a:"\\\"}{]["]`},
		{"{\"\u00e9\":1,\"e\u0301\":2}", "map[e\u0301:2 \u00e9:1]"},
		{`{"a":{"b":{"c":{}}}}`, `map[a:{"b":{"c":{}}}]`},
		{`{"a":[1,2,3,4,5,6,7,8]}`, `map[a:[1,2,3,4,5,6,7,8]]`},
	} {
		if m, err := object(row.data, limits); err != nil || fmt.Sprint(m) != row.want {
			t.Errorf("%s: %v, %v; want %s", row.data, m, err, row.want)
		}
	}
	for _, data := range []string{
		``, ` `, `null`, `[]`, `"{}"`, `1`, `{`, `}`, `{}{}`, `{}x`, `{}]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{'a':1}`,
		`{"a":1 "b":2}`, `{"a":01}`, `{"a":+1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, "\ufeff{}",
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"x":{"a":1,"a":1}}`, `{"x":[{"a":1,"a":1}]}`,
		"{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"a":"\ud800"}`, `{"\udc00":1}`, "{\"a\":\"\xed\xa0\x80\"}",
		`{"a":[[[[]]]]}`, `{"a":{"b":{"c":{"d":{}}}}}`, `{"a":[1,2,3,4,5,6,7,8,9]}`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`,
	} {
		if _, err := object(data, limits); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`[]`: ``, ` [ ] `: ``, `[1]`: `1;`, `[ "a" , {"b":1} , [2] ]`: `"a";{"b":1};[2];`,
	} {
		var got strings.Builder
		if err := strictjson.Array([]byte(data), limits, func(v []byte) { fmt.Fprintf(&got, "%s;", v) }); err != nil || got.String() != want {
			t.Errorf("%s: %q, %v", data, got.String(), err)
		}
	}
	for _, data := range []string{``, `null`, `{}`, `"a"`, `[1,]`, `[1 2]`, `[`, `[1]]`, `[1]x`, `[{"a":1,"a":1}]`, `[[[[[]]]]]`, "[\"\xff\"]"} {
		if err := strictjson.Array([]byte(data), limits, func([]byte) {}); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`""`: "", `"a"`: "a", `"a\u0062\/\n"`: "ab/\n", `"\ud83d\ude00"`: "😀"} {
		if s, ok := strictjson.String([]byte(value)); !ok || s != want {
			t.Errorf("%s: %q, %v", value, s, ok)
		}
		if !strictjson.Equal([]byte(value), want) || strictjson.Equal([]byte(value), want+"x") {
			t.Errorf("%s: Equal", value)
		}
	}
	for _, value := range []string{``, `null`, `1`, `{}`, `["a"]`} {
		if s, ok := strictjson.String([]byte(value)); ok || s != "" {
			t.Errorf("%s: %q", value, s)
		}
		if strictjson.Equal([]byte(value), value) || strictjson.Equal([]byte(value), "") {
			t.Errorf("%s: Equal", value)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var v struct {
		A int
		B json.Number     `json:"b"`
		C json.RawMessage `json:"c"`
	}
	if err := strictjson.Decode([]byte(`{"A":1,"a":2,"b":12345678901234567890,"c":{"x":1}}`), &v); err != nil || v.A != 1 || v.B != "12345678901234567890" || string(v.C) != `{"x":1}` {
		t.Errorf("%+v, %v", v, err)
	}
	for _, data := range []string{`{"A":"secret"}`, `{"A":1,"A":1}`, `{"b":[]}`, `[]`} {
		if err := strictjson.Decode([]byte(data), &v); err != strictjson.ErrSyntax { //nolint:errorlint // exactly this one, since others quote
			t.Errorf("%s: %v", data, err)
		}
	}
}

// TestAbsurdIsCheap holds that no input within a token's size costs more than
// milliseconds. The bound is generous, for slow machines.
func TestAbsurdIsCheap(t *testing.T) {
	t.Parallel()
	l := strictjson.Limits{Depth: 32, Values: 4096}
	const size = 48 << 10
	for name, data := range map[string]string{
		"brackets":    strings.Repeat("[", size),
		"objects":     strings.Repeat(`{"":`, size/4),
		"quotes":      `{"a":` + strings.Repeat(`"`, size),
		"backslashes": `{"a":"` + strings.Repeat(`\`, size),
		"escaped":     `{"a":"` + strings.Repeat(`\"`, size/2),
		"commas":      `{"a":[` + strings.Repeat(`,`, size),
		"number":      `{"a":` + strings.Repeat(`9`, size) + `}`,
		"names":       manyNames(4000),
	} {
		began := time.Now()
		for range 10 {
			_, _ = object(data, l)
		}
		if d := time.Since(began) / 10; d > 100*time.Millisecond {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func manyNames(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"%x":0,`, i)
	}
	return b.String() + `"":0}`
}

// FuzzObject holds that what is accepted is JSON to encoding/json too, and
// that both read the same members, since names are exact and not repeated.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"b":[{"c":"\ud83d\ude00"}]}`, `{"a":1,"a":2}`, `{"\u0061":"\\"}`, "{\"\xff\":1}", `{"a":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := strictjson.Limits{Depth: 8, Values: 100}
		before := string(data)
		m := map[string]string{}
		err := strictjson.Object(data, l, func(name, value []byte) {
			if !json.Valid(value) {
				t.Errorf("value %q", value)
			}
			m[string(name)] = string(value)
		})
		if string(data) != before {
			t.Error("the data was changed")
		}
		if err != nil {
			return
		}
		var oracle map[string]json.RawMessage
		if json.Unmarshal(data, &oracle) != nil || !utf8.Valid(data) {
			t.Fatal("accepted what encoding/json refuses")
		}
		if len(oracle) != len(m) {
			t.Errorf("%d members; encoding/json reads %d", len(m), len(oracle))
		}
		for name, value := range oracle {
			if m[name] != string(value) {
				t.Errorf("%q is %q; encoding/json reads %q", name, m[name], value)
			}
		}
	})
}
