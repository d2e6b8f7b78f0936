// Package strictjson reads JSON of which there is only one reading: member
// names match exactly, no name occurs twice in an object at any depth, text is
// valid UTF-8 without lone surrogates, and nothing follows the value. Nesting
// and the number of values are bounded before the grammar is looked at, so
// that absurd input is cheap.
//
// The grammar itself is github.com/go-json-experiment/json's; encoding/json
// would fold the case of names and let the last of two equal ones win, which
// is how a checked claim and a used claim come to differ
// (hashicorp/cap PR #191).
package strictjson

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrSyntax is the one error of this package. It says nothing about the
// input, which may be personal.
var ErrSyntax = errors.New("not strict JSON")

// Limits bound a document before it is parsed.
type Limits struct {
	// Depth is how deep objects and arrays may nest; a plain object is 1.
	Depth int
	// Values is how many values there may be, nested ones counted.
	Values int
}

// within reports whether data keeps to the limits. It need not be right about
// data that is no JSON: the parser refuses that.
func (l Limits) within(data []byte) bool {
	depth, values := 0, 1
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
			values++
			if depth > l.Depth {
				return false
			}
		case '}', ']':
			depth--
		case ',':
			values++
		case '"':
			i = skipString(data, i)
		}
		if values > l.Values {
			return false
		}
	}
	return true
}

// skipString returns the index of the quote that ends the string beginning at
// data[i], or of the last byte. It jumps from quote to quote, since most
// bytes of a token are within strings.
func skipString(data []byte, i int) int {
	for {
		n := bytes.IndexByte(data[i+1:], '"')
		if n < 0 {
			return len(data) - 1
		}
		i += 1 + n
		slashes := 0
		for data[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// Object calls member for each member of the JSON object in data, in order.
// The name is unescaped, the value is as it stands in data; name may be
// reused after member returns. When Object returns an error, member may have
// been called for members before the fault: use nothing of them.
func Object(data []byte, limits Limits, member func(name, value []byte)) error {
	if !limits.within(data) {
		return ErrSyntax
	}
	r := newReader(data)
	defer r.free()

	if tok, err := r.dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ErrSyntax
	}
	for {
		if r.dec.PeekKind() == '}' {
			if _, err := r.dec.ReadToken(); err != nil {
				return ErrSyntax
			}
			break
		}
		quoted, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		name, ok := unquote(r.name[:0], quoted)
		if !ok {
			return ErrSyntax
		}
		value, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		// The decoder's own slice is good only until its next call, so take
		// the same bytes out of data, which is the caller's.
		end := int(r.dec.InputOffset())
		member(name, data[end-len(value):end:end])
	}
	return r.end()
}

// Array calls element for each element of the JSON array in data, in order.
func Array(data []byte, limits Limits, element func(value []byte)) error {
	if !limits.within(data) {
		return ErrSyntax
	}
	r := newReader(data)
	defer r.free()

	if tok, err := r.dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return ErrSyntax
	}
	for {
		if r.dec.PeekKind() == ']' {
			if _, err := r.dec.ReadToken(); err != nil {
				return ErrSyntax
			}
			break
		}
		value, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		end := int(r.dec.InputOffset())
		element(data[end-len(value) : end : end])
	}
	return r.end()
}

// String returns the text of value, a value that [Object] or [Array] gave. It
// reports false if value is not a JSON string.
func String(value []byte) (string, bool) {
	b, ok := unquote(nil, value)
	return string(b), ok
}

// Equal reports whether value is the JSON string s.
func Equal(value []byte, s string) bool {
	var buf [64]byte
	b, ok := unquote(buf[:0], value)
	return ok && string(b) == s
}

// Decode decodes value into dst, a pointer, as encoding/json does, but
// strictly. Its error is ErrSyntax, since the decoder's own may quote value.
func Decode(value []byte, dst any) error {
	if json.Unmarshal(value, dst, numbers) != nil {
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

// unquote returns the text of a quoted string. The text is a part of value if
// nothing in it is escaped, and is appended to buf otherwise.
func unquote(buf, value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	b, err := jsontext.AppendUnquote(buf, value)
	return b, err == nil
}

// reader is a decoder with what it needs, kept for reuse.
type reader struct {
	dec  *jsontext.Decoder
	buf  bytes.Buffer
	name [64]byte
}

var readers = sync.Pool{New: func() any { return &reader{dec: new(jsontext.Decoder)} }}

func newReader(data []byte) *reader {
	r, ok := readers.Get().(*reader)
	if !ok {
		panic("strictjson: pool of readers holds something else") // cannot be
	}
	r.buf = *bytes.NewBuffer(data) // read in place, never written
	r.dec.Reset(&r.buf)            // strict by default: no duplicates, valid UTF-8
	return r
}

// end reports whether nothing but white space is left.
func (r *reader) end() error {
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrSyntax
	}
	return nil
}

// free returns r to the pool without the data it read.
func (r *reader) free() {
	r.buf = bytes.Buffer{}
	r.dec.Reset(&r.buf)
	readers.Put(r)
}
