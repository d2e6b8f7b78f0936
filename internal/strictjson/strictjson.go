// Package strictjson reads JSON of which there is only one reading: member
// names match exactly, no name occurs twice in an object at any depth, text is
// valid UTF-8 without lone surrogates, and nothing follows the value. Nesting
// and the number of values are bounded as the text is read, once and from left
// to right, so that absurd input is cheap.
//
// encoding/json would fold the case of names and let the last of two equal
// ones win, which is how a checked claim and a used claim come to differ
// (hashicorp/cap PR #191). github.com/go-json-experiment/json is as strict as
// is needed here, and the tests hold that this package accepts and refuses
// what it does; but it takes twice as long as this one scan and allocates for
// each value, where everything here is a part of the text given.
package strictjson

import (
	stdjson "encoding/json"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrSyntax is the one error of this package. It says nothing about the
// input, which may be personal.
var ErrSyntax = errors.New("not strict JSON")

// Limits bound a document.
type Limits struct {
	// Depth is how deep objects and arrays may nest; a plain object is 1.
	Depth int
	// Values is how many values there may be, nested ones and the document
	// itself counted.
	Values int
}

// Object calls member for each member of the JSON object in data, in order.
// The name is unescaped, the value is as it stands in data. When Object
// returns an error, member may have been called for members before the fault:
// use nothing of them.
func Object(data string, limits Limits, member func(name, value string)) error {
	s := begin(data, limits)
	if !s.object(member) || !s.end() {
		return ErrSyntax
	}
	return nil
}

// Array calls element for each element of the JSON array in data, in order.
func Array(data string, limits Limits, element func(value string)) error {
	s := begin(data, limits)
	if !s.array(element) || !s.end() {
		return ErrSyntax
	}
	return nil
}

// Objects reads the JSON array of objects in data, in order: it calls member
// for each member of an object, as [Object] does, and end behind each object.
// It reads the array once, where Object within [Array] reads each object
// twice.
func Objects(data string, limits Limits, member func(name, value string), end func()) error {
	s := begin(data, limits)
	if !s.objects(member, end) || !s.end() {
		return ErrSyntax
	}
	return nil
}

// ObjectWith reads the JSON object in data as [Object] does; but of its member
// called list, if that is an array, all elements must be objects, and it reads
// them as [Objects] does, with each and end, before it calls member. It reads
// data once, where Objects after Object reads the array twice.
func ObjectWith(data string, limits Limits, list string, member, each func(name, value string), end func()) error {
	s := begin(data, limits)
	if !s.objectWith(list, member, each, end) || !s.end() {
		return ErrSyntax
	}
	return nil
}

// String returns the text of value, a value that [Object] or [Array] gave. It
// reports false if value is not a JSON string. The text is a part of value,
// unless something in it is escaped.
func String(value string) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	b, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", false
	}
	return string(b), true
}

// Equal reports whether value is the JSON string s.
func Equal(value, s string) bool {
	text, ok := String(value)
	return ok && text == s
}

// Decode decodes value into dst, a pointer, as encoding/json does, but
// strictly. Its error is ErrSyntax, since the decoder's own may quote value.
func Decode(value string, dst any) error {
	if json.Unmarshal([]byte(value), dst, numbers) != nil {
		return ErrSyntax
	}
	return nil
}

// numbers lets encoding/json's Number hold a number, as it does there.
var numbers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, n *stdjson.Number) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	return stdjson.Unmarshal(value, n)
}))
