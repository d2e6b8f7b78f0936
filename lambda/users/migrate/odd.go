package migrate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// numeric says whether the provider's ids are decimal numbers, as those of
// Kakao (64 bits) and Google (about 21 digits) are.
func numeric(w wanted) bool {
	name := strings.ToLower(w.provider)
	return w.number || strings.Contains(name, "kakao") || strings.Contains(name, "google")
}

// odd is why an id at a provider will never match what Cognito says, or "".
func odd(w wanted, id string) Code {
	switch {
	case id == "":
		return OddEmpty
	case strings.TrimSpace(id) != id:
		return OddBlanks
	case len(id) > users.MaxIDLength, !utf8.ValidString(id), strings.ContainsFunc(id, unicode.IsControl):
		return OddText
	case !numeric(w):
		return ""
	}
	return oddNumber(w, id)
}

func oddNumber(w wanted, id string) Code {
	digits := strings.TrimLeft(id, "+-")
	switch {
	case digits == "" || strings.Trim(digits, "0123456789") != "":
		return OddDigits
	case digits != id:
		return OddSign
	case id == "0":
		return OddRange
	case id[0] == '0':
		return OddZeros
	}
	google := !w.number && !strings.Contains(strings.ToLower(w.provider), "kakao")
	if _, err := strconv.ParseInt(id, 10, 64); err != nil && !google {
		return OddRange
	}
	return ""
}

// uuid says whether s is a UUID in lower case, as subs are.
func uuid(s string) bool {
	if len(s) != subLength {
		return false
	}
	for i, r := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdef", r) {
			return false
		}
	}
	return true
}

// fitsToken says whether apps take the id out of a token (sso.UserIDKind).
func fitsToken(t table.IDType, id string) bool {
	switch t {
	case table.UUID:
		return uuid(id)
	case table.Text:
		ascii := !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
		return id != "" && len(id) <= 128 && ascii
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == id
}
