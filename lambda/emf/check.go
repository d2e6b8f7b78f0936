package emf

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// CloudWatch's limits. What is over them it drops, without a word to us.
const (
	maxMetrics    = 100
	maxDimensions = 30
	maxName       = 255
	maxValue      = 1024      // of a dimension's value
	maxLine       = 256 << 10 // of a log event; newer text says 1 MB
)

// Unit of a metric.
type Unit string

// The units that this module uses. CloudWatch's others may be written out.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
	Seconds      Unit = "Seconds"
	Bytes        Unit = "Bytes"
	None         Unit = "None"
)

func (u Unit) orNone() Unit {
	if u == "" {
		return None
	}
	return u
}

// Those that can be by the second, and those that cannot.
var (
	rates = strings.Fields("Count Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits Terabits")
	plain = strings.Fields("Seconds Milliseconds Microseconds Percent None")
)

func (u Unit) valid() bool {
	base, _ := strings.CutSuffix(string(u), "/Second")
	return slices.Contains(rates, base) || slices.Contains(plain, string(u))
}

func check(metrics []Metric, dimensions map[string]string) error {
	if len(metrics) == 0 || len(metrics) > maxMetrics {
		return fmt.Errorf("%w: %d metrics are not 1 to %d", ErrEvent, len(metrics), maxMetrics)
	}
	if err := checkDimensions(dimensions); err != nil {
		return err
	}
	for i, m := range metrics {
		_, taken := dimensions[m.Name]
		taken = taken || slices.ContainsFunc(metrics[:i], func(other Metric) bool { return other.Name == m.Name })
		switch {
		case !isName(m.Name):
			return fmt.Errorf("%w: %q is no name", ErrEvent, m.Name)
		case taken:
			return fmt.Errorf("%w: %q is there twice", ErrEvent, m.Name)
		case !m.Unit.orNone().valid():
			return fmt.Errorf("%w: %q: %q is no unit", ErrEvent, m.Name, m.Unit)
		case math.IsNaN(m.Value) || math.Abs(m.Value) > math.Ldexp(1, 360): // infinities too
			return fmt.Errorf("%w: %q: %v is no value", ErrEvent, m.Name, m.Value)
		}
	}
	return nil
}

func checkDimensions(dimensions map[string]string) error {
	if len(dimensions) > maxDimensions {
		return fmt.Errorf("%w: %d dimensions are more than %d", ErrEvent, len(dimensions), maxDimensions)
	}
	for name, value := range dimensions {
		if !isName(name) || name[0] == ':' {
			return fmt.Errorf("%w: %q is no name of a dimension", ErrEvent, name)
		}
		if len(value) > maxValue || strings.TrimSpace(value) == "" || !printable(value) {
			return fmt.Errorf("%w: the value of %q is not 1 to %d ASCII characters", ErrEvent, name, maxValue)
		}
	}
	return nil
}

// isName: printable ASCII, and not the member that the format itself uses.
func isName(s string) bool {
	return s != "" && len(s) <= maxName && printable(s) && s != metadataMember && strings.TrimSpace(s) == s
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

var namespace = regexp.MustCompile(`^[0-9A-Za-z.\-_/#:]+$`)

// isNamespace: AWS keeps names that begin with AWS/ to itself.
func isNamespace(s string) bool {
	return len(s) <= maxName && namespace.MatchString(s) && s[0] != ':' && !strings.HasPrefix(s, "AWS/")
}
