package strictjson

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON text (RFC 8259) from left to right. Its methods report
// false at the first fault, and then it is of no further use. Each begins at
// what it is named for and ends behind it.
type scanner struct {
	data   string
	at     int // the next byte
	depth  int // how much deeper values may nest
	values int // how many more there may be
	// escaped is whether something in the last string read was escaped.
	escaped bool
}

// begin returns a scanner at the value in data.
func begin(data string, limits Limits) scanner {
	s := scanner{data: data, depth: limits.Depth, values: limits.Values - 1}
	s.space()
	return s
}

// end reports whether nothing but white space is left.
func (s *scanner) end() bool {
	s.space()
	return s.at == len(s.data)
}

// next returns the next byte, 0 at the end: a byte that no value begins with.
func (s *scanner) next() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// space steps over white space. Tokens have none.
func (s *scanner) space() {
	if s.next() <= ' ' {
		s.spaces()
	}
}

func (s *scanner) spaces() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// skip steps over c and the white space after it, if c is next.
func (s *scanner) skip(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	s.space()
	return true
}

// object reads an object, and calls member, if there is one, for each member.
func (s *scanner) object(member func(name, value string)) bool {
	if s.depth--; s.depth < 0 || !s.skip('{') {
		return false
	}
	var seen names
	for more := s.next() != '}'; more; more = s.skip(',') {
		name, ok := s.name(&seen)
		if !ok {
			return false
		}
		begin := s.at
		if !s.value() {
			return false
		}
		if member != nil {
			member(name, s.data[begin:s.at])
		}
		s.space()
	}
	s.depth++
	return s.close('}')
}

// objectWith is object, but an array called list is read by objects, with each
// and end, before member.
func (s *scanner) objectWith(list string, member, each func(name, value string), end func()) bool {
	if s.depth--; s.depth < 0 || !s.skip('{') {
		return false
	}
	var seen names
	for more := s.next() != '}'; more; more = s.skip(',') {
		name, ok := s.name(&seen)
		if !ok {
			return false
		}
		begin := s.at
		if name == list && s.next() == '[' {
			if s.values--; s.values < 0 || !s.objects(each, end) {
				return false
			}
		} else if !s.value() {
			return false
		}
		member(name, s.data[begin:s.at])
		s.space()
	}
	s.depth++
	return s.close('}')
}

// name reads the name of a member that is not among those seen, and the colon
// behind it.
func (s *scanner) name(seen *names) (name string, ok bool) {
	begin := s.at
	if !s.text() {
		return "", false
	}
	name = s.data[begin+1 : s.at-1]
	if s.escaped {
		name, _ = String(s.data[begin:s.at])
	}
	s.space()
	return name, seen.add(name) && s.skip(':')
}

// array reads an array, and calls element, if there is one, for each element.
func (s *scanner) array(element func(value string)) bool {
	if s.depth--; s.depth < 0 || !s.skip('[') {
		return false
	}
	for more := s.next() != ']'; more; more = s.skip(',') {
		begin := s.at
		if !s.value() {
			return false
		}
		if element != nil {
			element(s.data[begin:s.at])
		}
		s.space()
	}
	s.depth++
	return s.close(']')
}

// objects reads an array of objects. It calls member for each member of each,
// and then end.
func (s *scanner) objects(member func(name, value string), end func()) bool {
	if s.depth--; s.depth < 0 || !s.skip('[') {
		return false
	}
	for more := s.next() != ']'; more; more = s.skip(',') {
		if s.values--; s.values < 0 {
			return false
		}
		if !s.object(member) {
			return false
		}
		end()
		s.space()
	}
	s.depth++
	return s.close(']')
}

// close steps over c alone: the white space after it is no part of the value.
func (s *scanner) close(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) value() bool {
	if s.values--; s.values < 0 {
		return false
	}
	switch s.next() {
	case '"':
		return s.text()
	case '{':
		return s.object(nil)
	case '[':
		return s.array(nil)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *scanner) literal(word string) bool {
	if len(s.data)-s.at < len(word) || s.data[s.at:s.at+len(word)] != word {
		return false
	}
	s.at += len(word)
	return true
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() bool {
	if s.next() == '-' {
		s.at++
	}
	if s.next() == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.next() == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if c := s.next(); c == 'e' || c == 'E' {
		s.at++
		if c := s.next(); c == '+' || c == '-' {
			s.at++
		}
		return s.digits()
	}
	return true
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > begin
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// plainPrefix returns how many bytes at the beginning of s are plain. Most of
// a token is its, so it looks at eight at a time.
func plainPrefix(s string) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	i := 0
	for ; len(s)-i >= 8; i += 8 {
		word := s[i : i+8]
		w := uint64(word[0]) | uint64(word[1])<<8 | uint64(word[2])<<16 | uint64(word[3])<<24 |
			uint64(word[4])<<32 | uint64(word[5])<<40 | uint64(word[6])<<48 | uint64(word[7])<<56
		// The high bit of a byte is set below if it is not plain: not ASCII,
		// a control, '"' or '\\'. A borrow can only set bits above the first
		// such byte, and the first is what counts.
		quote, escape := w^'"'*ones, w^'\\'*ones
		bad := w | (w - ' '*ones) | (quote - ones) | (escape - ones)
		if bad &= highs; bad != 0 {
			return i + bits.TrailingZeros64(bad)/8
		}
	}
	for ; i < len(s); i++ {
		if !plain[s[i]] {
			break
		}
	}
	return i
}

// text reads a string in its quotes.
func (s *scanner) text() bool {
	if s.next() != '"' {
		return false
	}
	s.at++
	s.escaped = false
	for {
		s.at += plainPrefix(s.data[s.at:])
		switch c := s.next(); {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c < ' ': // or the end
			return false
		default:
			// It refuses what is too long or a surrogate, with size 1.
			_, size := utf8.DecodeRuneInString(s.data[s.at:])
			if size < 2 {
				return false
			}
			s.at += size
		}
	}
}

// escape reads an escape in a string, or two that make one character.
func (s *scanner) escape() bool {
	s.escaped = true
	if s.at+1 == len(s.data) {
		return false
	}
	switch s.data[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	}
	r, ok := s.unicode()
	if !ok || !utf16.IsSurrogate(r) {
		return ok
	}
	low, ok := s.unicode()
	return ok && utf16.DecodeRune(r, low) != utf8.RuneError // a lone or a twisted one
}

// unicode reads \uXXXX.
func (s *scanner) unicode() (rune, bool) {
	const size = len(`\uXXXX`)
	if len(s.data)-s.at < size || s.data[s.at] != '\\' || s.data[s.at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s.data[s.at+2 : s.at+size]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.at += size
	return r, true
}

// names are the member names of one object. A real one has so few that a map
// would cost more than all else.
type names struct {
	few   [24]string
	n     int
	marks uint64 // a bit for each name in few; most names differ in theirs
	many  map[string]struct{}
}

// add adds the name, and reports whether it was not there yet.
func (n *names) add(name string) bool {
	if n.many != nil {
		_, there := n.many[name]
		n.many[name] = struct{}{}
		return !there
	}
	var mark uint64 = 1
	if last := len(name) - 1; last >= 0 {
		mark <<= (uint(name[0])*7 + uint(name[last])*3 + uint(name[last/2]) + uint(last)) % 64
	}
	if n.marks&mark != 0 {
		for _, other := range n.few[:n.n] {
			if other == name {
				return false
			}
		}
	}
	n.marks |= mark
	if n.n < len(n.few) {
		n.few[n.n] = name
		n.n++
		return true
	}
	n.many = make(map[string]struct{}, 4*len(n.few))
	for _, other := range n.few {
		n.many[other] = struct{}{}
	}
	n.many[name] = struct{}{}
	return true
}
