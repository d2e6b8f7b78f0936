package sso

import "strconv"

// UserID is the organisation's own id of a user: the primary key of the row
// in its user table, carried by the token in the claim custom:userId.
//
// The zero value means that the token carries no such claim. It is never a
// valid id. Compare with "" or require one with
// [github.com/ssu-itsupport/cognito-sso/middleware.UserID].
type UserID string

// String returns the id as text.
func (id UserID) String() string { return string(id) }

// Int64 returns the id as a number. It returns [ErrNoUserID] for the zero
// value and [ErrUserID] for an id that is not canonical decimal in
// 1…2⁶³−1, which happens only with a kind other than [UserIDInteger].
func (id UserID) Int64() (int64, error) {
	if id == "" {
		return 0, ErrNoUserID
	}
	if !canonicalInteger(string(id)) {
		return 0, ErrUserID
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return 0, ErrUserID
	}
	return n, nil
}

// UserIDKind says which form the organisation's user ids have. A token whose
// userId claim has another form is refused with [ErrUserID].
type UserIDKind int

const (
	// UserIDInteger is canonical decimal in 1…2⁶³−1: no sign, no leading
	// zero. It is the default.
	UserIDInteger UserIDKind = iota
	// UserIDUUID is a UUID in canonical lower case (RFC 9562 §4).
	UserIDUUID
	// UserIDOpaque is 1 to 128 printable ASCII characters without a space.
	UserIDOpaque
)

// valid reports whether s has the form. One id has one spelling in each form,
// so that comparing text compares ids.
func (k UserIDKind) valid(s string) bool {
	switch k {
	case UserIDInteger:
		return canonicalInteger(s)
	case UserIDUUID:
		return canonicalUUID(s)
	case UserIDOpaque:
		return printableASCII(s, 128)
	}
	return false // fail closed: NewVerifier lets no other kind through
}

// canonicalInteger reports whether s is decimal in 1…2⁶³−1 without a sign or a
// leading zero.
func canonicalInteger(s string) bool {
	const largest = "9223372036854775807"
	if s == "" || s[0] == '0' || len(s) > len(largest) {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) < len(largest) || s <= largest
}

// canonicalUUID reports whether s is 8-4-4-4-12 lower-case hexadecimal digits.
func canonicalUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
				return false
			}
		}
	}
	return true
}
