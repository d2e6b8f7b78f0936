package users

import (
	"fmt"
	"time"
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

// SignedIn is id.At in UTC, and whether there is a sign-in to record: not if At
// is zero, or outside the years 1 to 9999, as in [Latest].
func (id Identity) SignedIn() (at time.Time, ok bool) {
	return id.At.UTC(), recordable(id.At)
}

func recordable(at time.Time) bool {
	year := at.UTC().Year()
	return !at.IsZero() && year >= 1 && year <= 9999
}

// Usable reports whether a store can record s: not with a sub that
// [Identity.Validate] refuses, without a time, or with one outside the years 1 to
// 9999.
func (s SignIn) Usable() bool { return usable(s.Sub) && recordable(s.At) }

// Latest is the last sign-in of each sub in batch, in the order in which the
// subs first appear. Those that are not [SignIn.Usable] are left out.
func Latest(batch []SignIn) []SignIn {
	at := make(map[string]int, len(batch))
	out := make([]SignIn, 0, len(batch))
	for _, s := range batch {
		if !s.Usable() {
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
