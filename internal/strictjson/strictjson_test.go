package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

var limits = strictjson.Limits{Depth: 4, Values: 10}

func object(data string, l strictjson.Limits) (map[string]string, error) {
	m := map[string]string{}
	err := strictjson.Object(data, l, func(name, value string) {
		m[name] = value
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
	for _, data := range strictBad {
		if _, err := object(data, limits); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

// strictBad are no strict JSON objects, or over the limits above.
var strictBad = []string{
	``, ` `, `null`, `[]`, `"{}"`, `1`, `{`, `}`, `{}{}`, `{}x`, `{}]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{'a':1}`,
	`{"a":1 "b":2}`, `{"a":01}`, `{"a":+1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, "\ufeff{}",
	`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"x":{"a":1,"a":1}}`, `{"x":[{"a":1,"a":1}]}`,
	"{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"a":"\ud800"}`, `{"\udc00":1}`, "{\"a\":\"\xed\xa0\x80\"}",
	`{"a":[[[[]]]]}`, `{"a":{"b":{"c":{"d":{}}}}}`, `{"a":[1,2,3,4,5,6,7,8,9]}`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}`,
	`{"a":"\u12"}`, `{"a":"\u12x4"}`, `{"a":"\`, `{"a":"\u`, `{"a":"\ud83d\u0041"}`, `{"a":"\ud83dx"}`, `{"a":"\ude00\ud83d"}`, `{"a":"\ud83d\n"}`,
	`{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":--1}`, `{"a":0x1}`, `{"a":1_0}`, `{"a":Infinity}`, `{"a":nul}`, `{"a":truex}`,
	`{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":{"b":1]}`, `{"a"::1}`, `{"a":1;"b":2}`, `{"a":1}//`, `{"a":"` + "\x00" + `"}`, `{"a":"` + "\x1f" + `"}`,
	"{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "{\v}", "{\u00a0}", "{\"a\":1}\x00",
}

// strictGood are strict JSON objects.
var strictGood = []string{
	`{}`, ` { } `, "\t{\r\n}", `{"a":-0.5e+10,"b":0,"c":-0,"d":1E-2,"e":1e5}`, `{"a":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"}`, `{"\u0061":1,"b":[ ]}`,
	"{\"a\":\"\u007f\ufffd\uffff\U0010ffff\"}", `{"a":true,"b":false,"c":null,"d":{"e":[[]]}}`, `{"a":"\ufffd"}`, `{"a" : [ 1 , { } ] }`,
}

// TestOracles compares every list here with other decoders.
func TestOracles(t *testing.T) {
	t.Parallel()
	for _, data := range append(slices.Concat(strictGood, strictBad), manyNames(24), manyNames(25), manyNames(60)) {
		compareWithOracles(t, data)
	}
	for _, n := range []int{1, 2, 23, 24, 25, 26, 60} {
		twice := strings.TrimSuffix(manyNames(n), "}")
		for _, name := range []string{"0", fmt.Sprintf("%x", n-1), "", fmt.Sprintf(`\u%04x`, '0')} {
			data := twice + `,"` + name + `":0}`
			if _, err := object(data, strictjson.Limits{Depth: 1, Values: 100}); err == nil {
				t.Errorf("accepted a second %q behind %d names", name, n)
			}
			compareWithOracles(t, data)
		}
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`[]`: ``, ` [ ] `: ``, `[1]`: `1;`, `[ "a" , {"b":1} , [2] ]`: `"a";{"b":1};[2];`,
	} {
		var got strings.Builder
		if err := strictjson.Array(data, limits, func(v string) { fmt.Fprintf(&got, "%s;", v) }); err != nil || got.String() != want {
			t.Errorf("%s: %q, %v", data, got.String(), err)
		}
	}
	for _, data := range []string{``, `null`, `{}`, `"a"`, `[1,]`, `[1 2]`, `[`, `[1]]`, `[1]x`, `[{"a":1,"a":1}]`, `[[[[[]]]]]`, "[\"\xff\"]"} {
		if err := strictjson.Array(data, limits, func(string) {}); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	read := func(data string, l strictjson.Limits) (string, error) {
		var got strings.Builder
		err := strictjson.Objects(data, l,
			func(name, value string) { fmt.Fprintf(&got, "%s=%s ", name, value) },
			func() { got.WriteString("; ") })
		return got.String(), err
	}
	for data, want := range map[string]string{
		`[]`: ``, ` [ ] `: ``, `[{}]`: `; `, `[{"a":1},{"a":2,"b":[3]}]`: `a=1 ; a=2 b=[3] ; `, ` [ { "a" : {} } , { } ] `: `a={} ; ; `,
		`[{},{},{},{},{},{},{},{},{}]`: strings.Repeat("; ", 9), `[{"a":[[]]}]`: `a=[[]] ; `,
	} {
		if got, err := read(data, limits); err != nil || got != want {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
	for _, data := range []string{
		``, `null`, `{}`, `"a"`, `[1]`, `[null]`, `[{},]`, `[{} {}]`, `[,{}]`, `[`, `[{}`, `[{}]]`, `[{}]x`, `[{"a":1,"a":1}]`, `[{},[]]`, `[[{}]]`,
		`[{"a":[[[]]]}]`, `[{},{},{},{},{},{},{},{},{},{}]`, `[{"a":1,"b":2,"c":3},{"a":1,"b":2,"c":3},{"a":1,"b":2}]`, "[{\"\xff\":1}]",
	} {
		if got, err := read(data, limits); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %q, %v", data, got, err)
		}
	}
}

func TestObjectWith(t *testing.T) {
	t.Parallel()
	read := func(data string, l strictjson.Limits) (string, error) {
		var got strings.Builder
		err := strictjson.ObjectWith(data, l, "l",
			func(name, value string) { fmt.Fprintf(&got, "%s=%s ", name, value) },
			func(name, value string) { fmt.Fprintf(&got, ".%s=%s ", name, value) },
			func() { got.WriteString("; ") })
		return got.String(), err
	}
	for data, want := range map[string]string{
		`{}`: ``, ` { } `: ``, `{"a":1,"b":[1]}`: `a=1 b=[1] `, `{"l":[]}`: `l=[] `, `{"l":null,"L":[1]}`: `l=null L=[1] `, `{"l":"[1]"}`: `l="[1]" `, `{"l":{"l":[1]}}`: `l={"l":[1]} `,
		`{"a":0,"l":[{"b":1,"l":[3]},{}],"c":{}}`: `a=0 .b=1 .l=[3] ; ; l=[{"b":1,"l":[3]},{}] c={} `, ` { "\u006c" : [ { "b" : 1 } , { } ] } `: `.b=1 ; ; l=[ { "b" : 1 } , { } ] `,
		`{"l":[{},{},{},{},{},{},{},{}]}`: strings.Repeat("; ", 8) + `l=[{},{},{},{},{},{},{},{}] `, `{"l":[{"a":[]}]}`: `.a=[] ; l=[{"a":[]}] `,
	} {
		if got, err := read(data, limits); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", data, got, err, want)
		}
	}
	for _, data := range []string{
		``, `null`, `[]`, `[{}]`, `{"l":[1]}`, `{"l":[null]}`, `{"l":[{},]}`, `{"l":[{}]`, `{"l":[{}],}`, `{"l":[{}]}x`, `{"l":[{"a":1,"a":1}]}`, `{"l":[{}],"l":[{}]}`,
		`{"a":1,"a":1}`, `{"a"}`, `{"a":}`, `{"l":[{"a":[[]]}]}`, `{"l":[{},{},{},{},{},{},{},{},{}]}`, "{\"l\":[{\"\xff\":1}]}", "{\"\xff\":1}",
	} {
		if got, err := read(data, limits); !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%q: %q, %v", data, got, err)
		}
	}
}

// TestEveryByte holds which bytes may stand in a string, at every place of one:
// strings are read eight bytes at a time.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, 8, 9, 15, 16, 17, 24} {
		for at := range size {
			for c := range 256 {
				for _, others := range []byte{'x', ' ', '!', '#', '[', ']', 0x7f} {
					text := []byte(strings.Repeat(string(others), size))
					text[at] = byte(c)
					_, err := object(`{"a":"`+string(text)+`"}`, limits)
					if want := c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'; (err == nil) != want {
						// An escape may be one with what follows.
						if c == '\\' && json.Valid(fmt.Appendf(nil, `"%s"`, text)) {
							continue
						}
						t.Fatalf("%q: %v", text, err)
					}
				}
			}
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`""`: "", `"a"`: "a", `"a\u0062\/\n"`: "ab/\n", `"\ud83d\ude00"`: "😀"} {
		if s, ok := strictjson.String(value); !ok || s != want {
			t.Errorf("%s: %q, %v", value, s, ok)
		}
		if !strictjson.Equal(value, want) || strictjson.Equal(value, want+"x") {
			t.Errorf("%s: Equal", value)
		}
	}
	for _, value := range []string{``, `null`, `1`, `{}`, `["a"]`} {
		if s, ok := strictjson.String(value); ok || s != "" {
			t.Errorf("%s: %q", value, s)
		}
		if strictjson.Equal(value, value) || strictjson.Equal(value, "") {
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
	if err := strictjson.Decode(`{"A":1,"a":2,"b":12345678901234567890,"c":{"x":1}}`, &v); err != nil || v.A != 1 || v.B != "12345678901234567890" || string(v.C) != `{"x":1}` {
		t.Errorf("%+v, %v", v, err)
	}
	for _, data := range []string{`{"A":"secret"}`, `{"A":1,"A":1}`, `{"b":[]}`, `[]`} {
		if err := strictjson.Decode(data, &v); err != strictjson.ErrSyntax { //nolint:errorlint // exactly this one, since others quote
			t.Errorf("%s: %v", data, err)
		}
	}
}

// TestAbsurdIsCheap holds that no input within a token's size costs more than
// milliseconds. The bound is generous, for slow machines, and the quickest of
// ten counts, for busy ones.
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
		quickest := time.Hour
		for range 10 {
			began := time.Now()
			_, _ = object(data, l)
			quickest = min(quickest, time.Since(began))
		}
		if quickest > 100*time.Millisecond {
			t.Errorf("%s: %v", name, quickest)
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

// FuzzObject holds that exactly that is accepted which go-json-experiment's
// strict decoder accepts within the limits, and that encoding/json reads the
// same members, since names are exact and not repeated.
func FuzzObject(f *testing.F) {
	for _, seed := range append(slices.Concat(strictGood, strictBad), `{"a":1,"b":[{"c":"\ud83d\ude00"}]}`) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) { compareWithOracles(t, data) })
}

func compareWithOracles(t *testing.T, data string) {
	t.Helper()
	l := strictjson.Limits{Depth: 8, Values: 100}
	m := map[string]string{}
	err := strictjson.Object(data, l, func(name, value string) {
		if !json.Valid([]byte(value)) {
			t.Errorf("value %q", value)
		}
		m[name] = value
	})
	if want := strictly(data, l); (err == nil) != want {
		t.Fatalf("%q: %v; go-json-experiment accepts it: %v", data, err, want)
	}
	if err != nil {
		return
	}
	var oracle map[string]json.RawMessage
	if json.Unmarshal([]byte(data), &oracle) != nil || !utf8.ValidString(data) {
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
}

// strictly reports whether data is one object to go-json-experiment, within
// the limits.
func strictly(data string, l strictjson.Limits) bool {
	dec := jsontext.NewDecoder(strings.NewReader(data))
	if dec.PeekKind() != '{' {
		return false
	}
	depth, values := 0, 0
	for {
		kind, n := dec.StackIndex(dec.StackDepth())
		inName := kind == '{' && n%2 == 0
		tok, err := dec.ReadToken()
		if err != nil {
			return false
		}
		switch tok.Kind() {
		case '{', '[':
			if depth++; depth > l.Depth {
				return false
			}
			values++
		case '}', ']':
			if depth--; depth == 0 { // a second value would be a stream's
				return strings.Trim(data[dec.InputOffset():], " \t\r\n") == "" && values <= l.Values
			}
		default:
			if !inName {
				values++
			}
		}
	}
}
