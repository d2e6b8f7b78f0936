package mysql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func (c column) quoted() string { return quote(c.name) }

// of is the column of a table or its alias.
func (c column) of(alias string) string { return alias + "." + c.quoted() }

func (c column) isNumber() bool { return c.kind == "bigint" || c.kind == "int" }

func (c column) isBytes() bool { return c.charset == "" && strings.Contains(c.kind, "binary") }

func (c column) isUnicode() bool { return c.charset == "utf8mb4" }

// isExact reports a collation that compares bytes and does not pad with blanks.
func (c column) isExact() bool {
	return c.collation == "utf8mb4_nopad_bin" || c.collation == "utf8mb4_0900_bin"
}

// match adds the condition that ref is value, to the byte.
//
// The organisation's collation takes "abc" and "ABC" for the same, or "abc"
// and "abc ". So the column's own comparison, which its index serves, finds
// the row, and the bytes decide whether it is the person.
func (c column) match(q *query, ref, value string) *query {
	switch {
	case c.isNumber():
		n, _ := strconv.ParseInt(value, 10, 64) // fits has looked
		return q.add(ref+" = ?", n)
	case c.isBytes():
		return q.add(ref+" = ?", []byte(value))
	case c.isExact():
		return q.add(ref+" = ?", value)
	}
	return q.add("("+ref+" = ? AND "+exact(ref)+" = ?)", value, []byte(value))
}

// exact is a text as its bytes in UTF-8.
func exact(ref string) string { return "CAST(CONVERT(" + ref + " USING utf8mb4) AS BINARY)" }

// param is the value to write.
func (c column) param(value string) any {
	switch {
	case c.isNumber():
		n, _ := strconv.ParseInt(value, 10, 64) // fits has looked
		return n
	case c.isBytes():
		return []byte(value)
	}
	return value
}

// fits reports with users.ErrInvalid an id that the column cannot keep as it
// is: then it is nobody's yet, and must not be cut off, rounded or trimmed
// into somebody's.
func (c column) fits(value string) error {
	if c.isNumber() {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || strings.Contains(c.full, "unsigned") && n < 0 {
			return fmt.Errorf("%w: column %s holds numbers", users.ErrInvalid, c.name)
		}
		return nil
	}
	switch {
	case !c.room(value):
		return fmt.Errorf("%w: longer than column %s", users.ErrInvalid, c.name)
	case c.kind == "char" && strings.HasSuffix(value, " "):
		return fmt.Errorf("%w: column %s drops blanks at the end", users.ErrInvalid, c.name)
	case !c.isUnicode() && !c.isBytes() && !ascii(value):
		return fmt.Errorf("%w: column %s is in %s, which may lack a character", users.ErrInvalid, c.name, c.charset)
	}
	return nil
}

// room reports that the column holds all of value.
func (c column) room(value string) bool { return c.cut(value) == value }

// cut is as much of value as the column holds.
func (c column) cut(value string) string {
	if c.kind == "char" || c.kind == "varchar" {
		for i := range value {
			if c.chars == 0 {
				return value[:i]
			}
			c.chars--
		}
		return value
	}
	if len(value) <= c.octets {
		return value
	}
	end := c.octets
	for end > 0 && !utf8.RuneStart(value[end]) {
		end--
	}
	return value[:end]
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// address is an email for a new row, or "" if the column cannot hold it: half
// an address is somebody else's.
func (c column) address(email string) string {
	if !plain(email) || c.fits(email) != nil {
		return ""
	}
	return email
}

// label is a name for a new row, cut to what the column holds.
func (c column) label(name string) string {
	if !plain(name) {
		return ""
	}
	if c.charset == "utf8mb3" || c.charset == "utf8" { // three bytes a character: no emoji
		name = strings.Map(func(r rune) rune {
			if r > 0xffff {
				return '?'
			}
			return r
		}, name)
	}
	return c.cut(name)
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
