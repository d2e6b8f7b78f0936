// Package userfilter reads the filters of Cognito's ListUsers.
package userfilter

import (
	"errors"
	"slices"
	"strings"
)

// MaxLen is how long a filter may be, in bytes.
const MaxLen = 256

// attributes are those that can be searched. Custom attributes cannot.
var attributes = []string{
	"username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username",
	"cognito:user_status", "status", "sub",
}

// The ways a filter can be wrong.
var (
	ErrTooLong   = errors.New("userfilter: too long")
	ErrSyntax    = errors.New(`userfilter: not of the form attribute = "value" or attribute ^= "value"`)
	ErrAttribute = errors.New("userfilter: not an attribute that can be searched")
)

// Filter is a filter that was read. The zero value matches everybody.
type Filter struct {
	// Attribute is the one to search, "" for none.
	Attribute string
	// Value is what it must be, or start with if Prefix is set.
	Value  string
	Prefix bool
}

// Parse reads a filter. An empty one matches everybody. Its error is one of ErrTooLong, ErrSyntax and ErrAttribute.
func Parse(text string) (Filter, error) {
	if len(text) > MaxLen {
		return Filter{}, ErrTooLong
	}
	if strings.TrimSpace(text) == "" {
		return Filter{}, nil
	}
	name, rest, ok := strings.Cut(text, "=")
	if !ok {
		return Filter{}, ErrSyntax
	}
	name, prefix := strings.CutSuffix(strings.TrimSpace(name), "^")
	name = strings.TrimSpace(name)
	value, ok := unquote(strings.TrimSpace(rest))
	if !ok || name == "" {
		return Filter{}, ErrSyntax
	}
	if !slices.Contains(attributes, name) {
		return Filter{}, ErrAttribute
	}
	return Filter{Attribute: name, Value: value, Prefix: prefix}, nil
}

// unquote reads a string in double quotes. A backslash stands before a quote or a backslash that belongs to the value.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return "", false
		case '\\':
			i++
			if i == len(s) || (s[i] != '"' && s[i] != '\\') {
				return "", false
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// String writes the filter so that Parse reads it back.
func (f Filter) String() string {
	if f.Attribute == "" {
		return ""
	}
	op := " = "
	if f.Prefix {
		op = " ^= "
	}
	return f.Attribute + op + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(f.Value) + `"`
}

// Match reports whether a user matches, whose attribute has the value. cognito:user_status is compared without regard
// to case, all others with.
func (f Filter) Match(value string) bool {
	want := f.Value
	if f.Attribute == "cognito:user_status" {
		value, want = strings.ToUpper(value), strings.ToUpper(want)
	}
	if f.Prefix {
		return strings.HasPrefix(value, want)
	}
	return f.Attribute == "" || value == want
}
