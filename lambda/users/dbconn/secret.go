package dbconn

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password or token that shows itself to nobody but [Secret.Reveal]:
// printed, logged or marshalled it is "[secret]". The zero value is empty.
type Secret struct {
	// A pointer, because fmt prints the unexported fields of a struct without
	// asking their methods, and prints a pointer there as an address.
	value *string
}

const redacted = "[secret]"

// NewSecret returns a Secret of value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value itself. Hand it to the driver and to nothing else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Equal compares in constant time.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

// String returns "[secret]".
func (s Secret) String() string { return redacted }

// GoString returns "[secret]".
func (s Secret) GoString() string { return redacted }

// Format writes "[secret]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[secret]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
