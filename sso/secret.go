package sso

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a Secret shows of itself.
const redacted = "[redacted]"

// Secret is text that must not be shown: a client secret, a token, or a part
// of a [Flow]. Printing, logging and marshalling one give "[redacted]";
// [Secret.Reveal] returns the text.
//
// A Secret is a string underneath, so that it converts and compares like one,
// and that has a limit: package fmt calls no method on an unexported struct
// field, nor for %p and %w, and encoders use it raw as the key of a map. Keep
// Secrets in exported fields of anything that may be printed.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns the redacted form in Go syntax.
func (s Secret) GoString() string { return `sso.Secret("` + redacted + `")` }

// Format redacts under every verb that package fmt lets a type decide, %x and
// %d among them, where String alone would not be asked.
func (s Secret) Format(f fmt.State, verb rune) {
	text := redacted
	switch {
	case verb == 'v' && f.Flag('#'):
		text = s.GoString()
	case verb == 'q':
		text = `"` + redacted + `"`
	}
	_, _ = io.WriteString(f, text)
}

// MarshalJSON returns "[redacted]" as JSON. What was marshalled cannot be read
// back; marshal Reveal's result where the text is really meant, sealed.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText redacts for XML, YAML and whatever else asks for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue redacts for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
