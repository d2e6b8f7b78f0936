package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// times are durations of the same thing.
type times []time.Duration

// at is the quantile q, from 0 to 1, by the nearest rank.
func (t times) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func (t times) p50() time.Duration { return t.at(0.50) }
func (t times) p95() time.Duration { return t.at(0.95) }
func (t times) p99() time.Duration { return t.at(0.99) }

// columns are the three percentiles as the tables show them. Of fewer than a
// hundred nobody knows a 99th.
func (t times) columns() []string {
	last := "-"
	if len(t) >= 100 {
		last = millis(t.p99())
	}
	return []string{fmt.Sprint(len(t)), millis(t.p50()), millis(t.p95()), last}
}

func millis(d time.Duration) string {
	ms := float64(d) / 1e6
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func ratio(r float64) string { return fmt.Sprintf("%.2f", r) }

// printTable prints rows in columns, the first as their heads.
func printTable(title string, rows [][]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = w.Write([]byte(strings.Join(row, "\t") + "\n"))
	}
	_ = w.Flush() // into memory
	fmt.Printf("\n%s\n\n%s", title, b.String())
}
