package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTimings(t *testing.T) {
	t.Parallel()
	hundred := &timings{}
	for i := 100; i >= 1; i-- {
		hundred.add(time.Duration(i) * time.Millisecond)
	}
	for _, row := range []struct {
		name string
		in   *timings
		want string
	}{
		{"nobody", &timings{}, `{"p50":0,"p95":0,"n":0}`},
		{"one", &timings{took: []time.Duration{1500 * time.Microsecond}}, `{"p50":1.5,"p95":1.5,"n":1}`},
		{"two", &timings{took: []time.Duration{2e6, 1e6}}, `{"p50":1,"p95":2,"n":2}`},
		{"a hundred, unsorted", hundred, `{"p50":50,"p95":95,"n":100}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(row.in)
			if err != nil || string(got) != row.want {
				t.Fatalf("got %s, %v; want %s", got, err, row.want)
			}
		})
	}
}
