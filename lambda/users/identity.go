package users

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxIDLength bounds a sub and an id at a provider, in bytes.
const MaxIDLength = 255

// Validate reports with [ErrInvalid] an identity that no store can use: no
// sub, a provider without an id or the reverse, or an id that is longer than
// [MaxIDLength], not UTF-8, or has control characters. Every Store calls it.
// The error never quotes the identity.
func (id Identity) Validate() error {
	if !usable(id.Sub) {
		return fmt.Errorf("%w: sub", ErrInvalid)
	}
	if id.Provider == "" && id.Subject == "" {
		return nil
	}
	if !usable(id.Provider) {
		return fmt.Errorf("%w: provider", ErrInvalid)
	}
	if !usable(id.Subject) {
		return fmt.Errorf("%w: subject", ErrInvalid)
	}
	return nil
}

func usable(s string) bool {
	if s == "" || len(s) > MaxIDLength || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError { // U+FFFD: what broken text was decoded to
			return false
		}
	}
	return true
}

// Latest is the last sign-in of each sub in batch, in the order in which the
// subs first appear. Sign-ins with an unusable sub (see [Identity.Validate]), with
// no time, or with one outside the years 1 to 9999 are left out: no store could
// record them.
func Latest(batch []SignIn) []SignIn {
	at := make(map[string]int, len(batch))
	out := make([]SignIn, 0, len(batch))
	for _, s := range batch {
		if year := s.At.UTC().Year(); !usable(s.Sub) || s.At.IsZero() || year < 1 || year > 9999 {
			continue
		}
		i, seen := at[s.Sub]
		switch {
		case !seen:
			at[s.Sub] = len(out)
			out = append(out, s)
		case s.At.After(out[i].At):
			out[i].At = s.At
		}
	}
	return out
}
