package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const module = "github.com/ssu-itsupport/cognito-sso/"

// event is a line of go test -json (see "go doc test2json").
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// tally is what a run reported.
type tally struct {
	outcomes map[string]string // by folder.Test/row: "pass", "fail" or "skip"
	output   map[string]string // what failing tests wrote, by the same
	broken   []string          // packages that failed, or did not build
}

// read takes the output of go test -json in.
func read(r io.Reader) (*tally, error) {
	t := &tally{outcomes: map[string]string{}, output: map[string]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("go test wrote what is not JSON: %.200q", lines.Text())
		}
		t.note(e)
	}
	return t, lines.Err()
}

func (t *tally) note(e event) {
	folder := strings.TrimPrefix(e.Package, module)
	name := folder + "." + e.Test
	switch e.Action {
	case "output", "build-output":
		t.output[name] += e.Output
	case "build-fail":
		t.broken = append(t.broken, e.ImportPath)
	case "pass", "fail", "skip":
		switch {
		case e.Test != "":
			t.outcomes[name] = e.Action
		case e.Action == "fail":
			t.broken = append(t.broken, folder)
		}
	}
}

// rows returns the names that have no subtest of their own, sorted.
func (t *tally) rows() []string {
	parents := map[string]bool{}
	for name := range t.outcomes {
		for {
			i := strings.LastIndexByte(name, '/')
			if i < strings.LastIndex(name, ".Test") { // a "/" of the folder
				break
			}
			name = name[:i]
			parents[name] = true
		}
	}
	all := slices.Sorted(maps.Keys(t.outcomes))
	return slices.DeleteFunc(all, func(name string) bool { return parents[name] })
}

// count is how a class went.
type count struct{ rows, failed int }

// report writes the table and what is wrong, and says whether nothing is.
func (t *tally) report(w io.Writer) bool {
	counts := make([]count, len(classes))
	ran := map[string]bool{}
	var wrong []string
	var total count
	for _, row := range t.rows() {
		test := topLevel(row)
		ran[test] = true
		i := classOf(test)
		if i < 0 {
			continue
		}
		counts[i].rows++
		total.rows++
		if t.outcomes[row] != "pass" {
			counts[i].failed++
			total.failed++
			wrong = append(wrong, fmt.Sprintf("%s: %s\n%s", t.outcomes[row], row, t.output[row]))
		}
	}
	wrong = append(wrong, t.gaps(counts, ran)...)
	var b strings.Builder
	fmt.Fprintf(&b, "%-26s %6s %7s\n", "class", "rows", "failed")
	for i, c := range counts {
		fmt.Fprintf(&b, "%-26s %6d %7d\n", classes[i].name, c.rows, c.failed)
	}
	for _, line := range wrong {
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	fmt.Fprintf(&b, "ATTACKS rows=%d failed=%d\n", total.rows, total.failed)
	_, err := io.WriteString(w, b.String())
	return err == nil && len(wrong) == 0
}

// gaps returns everything that is wrong besides rows that failed.
func (t *tally) gaps(counts []count, ran map[string]bool) (wrong []string) {
	for i, c := range classes {
		if counts[i].rows < c.floor {
			wrong = append(wrong, fmt.Sprintf("class %q has %d rows, and should have %d at least", c.name, counts[i].rows, c.floor))
		}
		for _, test := range c.tests {
			if !ran[test] {
				wrong = append(wrong, fmt.Sprintf("%s, of class %q, did not run", test, c.name))
			}
		}
	}
	for _, test := range slices.Sorted(maps.Keys(ran)) {
		if classOf(test) < 0 {
			wrong = append(wrong, test+" is in no class of internal/attacks")
		}
		if t.outcomes[test] == "fail" {
			wrong = append(wrong, test+" failed: "+t.output[test])
		}
	}
	for _, folder := range t.broken {
		wrong = append(wrong, "package "+folder+" failed: "+t.output[folder+"."])
	}
	return wrong
}

// topLevel returns folder.Test of folder.Test/row.
func topLevel(row string) string {
	i := strings.Index(row, ".Test")
	if i < 0 {
		return row
	}
	if j := strings.IndexByte(row[i:], '/'); j >= 0 {
		return row[:i+j]
	}
	return row
}
