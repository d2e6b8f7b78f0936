package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// events makes the output of go test -json out of "action folder Test" lines.
func events(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		f := append(strings.SplitN(line, " ", 3), "")
		fmt.Fprintf(&b, "{\"Action\":%q,\"Package\":%q,\"Test\":%q}\n", f[0], module+f[1], f[2])
	}
	return b.String()
}

// complete is a run in which every class has its floor of rows.
func complete() (lines []string) {
	for _, c := range classes {
		for i, test := range c.tests {
			folder, name, _ := strings.Cut(test, ".")
			rows := 1
			if i == 0 {
				rows = c.floor
			}
			for n := range rows {
				lines = append(lines, fmt.Sprintf("pass %s %s/row_%d", folder, name, n))
			}
			lines = append(lines, fmt.Sprintf("pass %s %s", folder, name))
		}
	}
	return lines
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(lines []string) []string
		ok     bool
		want   string
	}{
		{"complete", func(l []string) []string { return l }, true, ""},
		{"a row fails", func(l []string) []string { return append(l, "fail middleware TestAttackReplay/new") }, false, "failed=1"},
		{"a row is skipped", func(l []string) []string { return append(l, "skip middleware TestAttackReplay/new") }, false, "failed=1"},
		{"rows are missing", func(l []string) []string { return l[10:] }, false, `class "login CSRF" has`},
		{"nothing ran", func([]string) []string { return nil }, false, "rows=0"},
		{"a test of no class", func(l []string) []string { return append(l, "pass sso TestAttackOther") }, false, "sso.TestAttackOther is in no class"},
		{"a test without its rows", func(l []string) []string { return append(l, "fail middleware TestAttackReplay") }, false, "middleware.TestAttackReplay failed"},
		{"a package fails", func(l []string) []string { return append(l, "fail sso ") }, false, "package sso failed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			tally, err := read(strings.NewReader(events(row.change(complete())...)))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if ok := tally.report(&out); ok != row.ok || !strings.Contains(out.String(), row.want) {
				t.Errorf("ok %v, want %v and %q:\n%s", ok, row.ok, row.want, out.String())
			}
			last := strings.TrimRight(out.String(), "\n")
			last = last[strings.LastIndexByte(last, '\n')+1:]
			if !regexp.MustCompile(`^ATTACKS rows=\d+ failed=\d+$`).MatchString(last) {
				t.Errorf("last line %q", last)
			}
		})
	}
}

func TestRowsAreLeaves(t *testing.T) {
	t.Parallel()
	tally, err := read(strings.NewReader(events("pass sso/ssootel TestA/b/c", "pass sso/ssootel TestA/b", "pass sso/ssootel TestA", "pass sso TestB")))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tally.rows(), " "); got != "sso.TestB sso/ssootel.TestA/b/c" {
		t.Errorf("rows %s", got)
	}
	if got := topLevel("sso/ssootel.TestA/b/c"); got != "sso/ssootel.TestA" {
		t.Errorf("top level %s", got)
	}
}

func TestReadRefusesOtherText(t *testing.T) {
	t.Parallel()
	if _, err := read(strings.NewReader("ok  \tsso\t1s\n")); err == nil {
		t.Error("text passed for JSON")
	}
}

var attackTest = regexp.MustCompile(`(?m)^func (TestAttack\w*)\(`)

// Every test called TestAttack… is in a class, wherever it is.
func TestEveryAttackTestHasAClass(t *testing.T) {
	t.Parallel()
	root := os.DirFS(filepath.Join("..", ".."))
	seen := 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, found := range attackTest.FindAllSubmatch(text, -1) {
			seen++
			if test := path.Dir(name) + "." + string(found[1]); classOf(test) < 0 {
				t.Errorf("%s is in no class", test)
			}
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Fatalf("%d tests seen: %v", seen, err)
	}
}
