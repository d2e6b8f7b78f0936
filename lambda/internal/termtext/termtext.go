// Package termtext makes text of others fit for a terminal: what it returns
// moves no cursor, changes no title and reverses no line, whatever came in.
package termtext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Printable returns s with everything that does not print, bad UTF-8 and the
// marks that turn text around among it, escaped as in a Go string. Text longer
// than limit characters is cut, and says so; 0 is no limit.
func Printable(s string, limit int) string {
	runes := 0
	for i := range s {
		if runes++; limit > 0 && runes > limit {
			return Printable(s[:i], 0) + "… (" + strconv.Itoa(len(s)) + " bytes)"
		}
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// JSON returns a JSON document that means the same, in which everything that
// does not print, line breaks apart, is escaped as JSON has it.
func JSON(document []byte) []byte {
	out := make([]byte, 0, len(document))
	for _, r := range string(document) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
