package function

import (
	"math"
	"runtime/debug"
	"testing"
)

//nolint:paralleltest // it sets what is the whole process's
func TestCollectRarely(t *testing.T) {
	const size = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
	for name, row := range map[string]struct {
		env     map[string]string
		percent int
		limit   int64
	}{
		"a function":            {map[string]string{size: "256"}, rarely, 192 << 20},
		"the smallest":          {map[string]string{size: "128"}, rarely, 96 << 20},
		"the largest":           {map[string]string{size: "10240"}, rarely, 7680 << 20},
		"not in Lambda":         {nil, 100, math.MaxInt64},
		"of no known size":      {map[string]string{size: "much"}, 100, math.MaxInt64},
		"of no size":            {map[string]string{size: "0"}, 100, math.MaxInt64},
		"who knows better":      {map[string]string{size: "256", "GOGC": "50"}, 100, 192 << 20},
		"who knows the limit":   {map[string]string{size: "256", "GOMEMLIMIT": "64MiB"}, rarely, math.MaxInt64},
		"who turns it off":      {map[string]string{size: "256", "GOGC": "off", "GOMEMLIMIT": "64MiB"}, 100, math.MaxInt64},
		"a size that overflows": {map[string]string{size: "9999999999"}, 100, math.MaxInt64},
	} {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		collectRarely(func(name string) string { return row.env[name] })
		if limit, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100); percent != row.percent || limit != row.limit {
			t.Errorf("%s: %d %%, %d bytes; want %d %%, %d bytes", name, percent, limit, row.percent, row.limit)
		}
	}
}
