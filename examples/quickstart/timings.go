package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// timings are how long the same thing took for many people.
type timings struct{ took []time.Duration }

func (t *timings) add(d time.Duration) { t.took = append(t.took, d) }

// percentile is the nearest-rank percentile: a time that somebody really waited.
func (t *timings) percentile(p float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// MarshalJSON gives {"p50":…,"p95":…,"n":…}, times in milliseconds.
func (t timings) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50 float64 `json:"p50"`
		P95 float64 `json:"p95"`
		N   int     `json:"n"`
	}{millis(t.percentile(50)), millis(t.percentile(95)), len(t.took)})
}

func (t timings) String() string {
	return fmt.Sprintf("p50 %.1f ms   p95 %.1f ms   n %d", millis(t.percentile(50)), millis(t.percentile(95)), len(t.took))
}

// millis is d in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
