package doctor_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
)

// Every finding is one that a misconfiguration is found as, by a row of the
// tables.
func TestEveryFindingIsSeeded(t *testing.T) {
	t.Parallel()
	found := map[doctor.ID]int{}
	count := func(ids []doctor.ID) {
		for _, id := range ids {
			found[id]++
		}
	}
	for _, row := range seeded {
		count(row.want)
	}
	for _, row := range unanswered {
		count(row.want)
	}
	for _, row := range queues {
		count(row.want)
	}
	for _, row := range tables {
		count(row.want)
	}
	for _, id := range doctor.IDs() {
		if found[id] == 0 {
			t.Errorf("no misconfiguration is seeded for %s", id)
		}
		delete(found, id)
	}
	for id := range found {
		t.Errorf("%s is in no catalog", id)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	all := doctor.IDs()
	for i, id := range all {
		if !form.MatchString(string(id)) || slices.Index(all, id) != i || !slices.Contains(doctor.Severities, doctor.SeverityOf(id)) {
			t.Errorf("%q, twice or of no severity (%q)", id, doctor.SeverityOf(id))
		}
	}
	if doctor.SeverityOf("no_such_finding") != "" {
		t.Error("an unknown finding has a severity")
	}
}

// The page lists the findings of the code, in its order and with its
// severities.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []doctor.ID
	for _, m := range regexp.MustCompile("(?m)^### `([^`]+)` · ([a-z]+)$").FindAllStringSubmatch(string(page), -1) {
		id := doctor.ID(m[1])
		listed = append(listed, id)
		if got := doctor.SeverityOf(id); string(got) != m[2] {
			t.Errorf("%s is a finding of severity %q, the page says %s", id, got, m[2])
		}
	}
	if want := doctor.IDs(); !slices.Equal(listed, want) {
		t.Errorf("the page lists\n%v, the code\n%v", listed, want)
	}
}
