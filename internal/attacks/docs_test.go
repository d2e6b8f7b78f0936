package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// A path is of files as "sso/secret.go", with a function as
	// "sso/refresh.go:Refresh", or of a package as "internal/jose".
	namedPath = regexp.MustCompile(`^((?:sso|middleware|lambda|internal|examples)/[\w./-]+?)(?::(\w+))?$`)
	namedTest = regexp.MustCompile(`^((?:Test|Fuzz)\w+)(?:/(.+))?$`)
)

// sources returns the text of the tests, and the names of test functions.
func sources(t *testing.T, root string) (text string, tests map[string]bool) {
	t.Helper()
	tests = map[string]bool{}
	var all strings.Builder
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := fs.ReadFile(os.DirFS(root), path)
		all.Write(source)
		for _, found := range declared.FindAllSubmatch(source, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String(), tests
}

// TestDocsNameWhatExists: files, functions, tests and rows of the threat model
// and of the complaints are there.
func TestDocsNameWhatExists(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, tests := sources(t, root)
	for page, least := range map[string]int{"threat-model.md": 100, "complaints.md": 18} {
		doc, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		names := 0
		for _, found := range quoted.FindAllStringSubmatch(string(doc), -1) {
			problem, is := missing(root, text, tests, found[1])
			if is {
				names++
			}
			if problem != "" {
				t.Errorf("docs/%s: %s: %s", page, found[1], problem)
			}
		}
		if names < least {
			t.Errorf("docs/%s names %d files and tests; fewer than %d means that they were not recognised", page, names, least)
		}
	}
}

// missing says what of a name is not there, and whether it is a name of a file
// or test at all.
func missing(root, text string, tests map[string]bool, name string) (problem string, is bool) {
	if m := namedTest.FindStringSubmatch(name); m != nil {
		switch {
		case !tests[m[1]]:
			return "no such test", true
		case m[2] != "" && !strings.Contains(text, `"`+m[2]+`"`):
			return "no such row", true
		}
		return "", true
	}
	m := namedPath.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	path := filepath.Join(root, filepath.FromSlash(m[1]))
	if _, err := os.Stat(path); err != nil {
		return "no such file", true
	}
	if m[2] == "" {
		return "", true
	}
	source, err := os.ReadFile(path)
	if err != nil || !regexp.MustCompile(`(?m)^func (\([^)]*\) )?`+m[2]+`\(`).Match(source) {
		return "no such function in it", true
	}
	return "", true
}

// TestThreatModelNamesEveryClass: each test of each class is in the threat
// model, beside the code that stops the attack.
func TestThreatModelNamesEveryClass(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range classes {
		for _, test := range c.tests {
			if name := test[strings.LastIndexByte(test, '.')+1:]; !strings.Contains(string(doc), "`"+name+"`") {
				t.Errorf("docs/threat-model.md does not name %s, of class %q", name, c.name)
			}
		}
	}
}

func TestMissingIsSeen(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, tests := sources(t, root)
	for name, want := range map[string]string{
		"TestDocsNameWhatExists": "", "TestNothing": "no such test", "TestMissingIsSeen/no row of this name " + "at all": "no such row",
		"internal/attacks/tally.go:report": "", "internal/attacks/tally.go:nothing": "no such function in it",
		"internal/attacks/nothing.go": "no such file", "internal/attacks": "",
	} {
		if problem, is := missing(root, text, tests, name); problem != want || !is {
			t.Errorf("%s: %q %v, want %q", name, problem, is, want)
		}
	}
	if _, is := missing(root, text, tests, "BaseURL"); is {
		t.Error("BaseURL is neither a file nor a test")
	}
}
