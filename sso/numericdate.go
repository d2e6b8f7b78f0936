package sso

import (
	"math"
	"strconv"
	"time"
)

// endOfTime is the first second of the year 10000, in Unix time.
const endOfTime = 253402300800

// numericDate reads a NumericDate (RFC 7519 §2): a JSON number, whole or with
// a fraction, from 1970 to the year 9999. The bounds keep arithmetic with it
// exact, and refuse what is no date but an attempt at overflow.
func numericDate(value string) (time.Time, bool) {
	if len(value) == 0 || len(value) > 32 || (value[0] != '-' && (value[0] < '0' || value[0] > '9')) {
		return time.Time{}, false // absent, absurd, or no number
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if n < 0 || n >= endOfTime {
			return time.Time{}, false
		}
		return time.Unix(n, 0).UTC(), true
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || f < 0 || f >= endOfTime {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), true
}
