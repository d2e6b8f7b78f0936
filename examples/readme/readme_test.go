package readme_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// limits are how many lines of Go, blank ones not counted, each block of the
// README may take: a promise to its reader.
var limits = map[string]int{"api": 15, "web": 25, "unit": 15}

const (
	begin = "// README:"
	end   = "// README:end"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// regions returns the marked regions of Go source, by name.
func regions(source string) (map[string]string, error) {
	found := map[string]string{}
	name, text := "", ""
	for line := range strings.Lines(source) {
		marker := strings.TrimSpace(line)
		switch {
		case marker == end:
			if name == "" {
				return nil, fmt.Errorf("%s without a beginning", end)
			}
			found[name], name, text = strings.TrimSpace(text)+"\n", "", ""
		case strings.HasPrefix(marker, begin):
			if name != "" {
				return nil, fmt.Errorf("%s begins inside %s", marker, name)
			}
			name = strings.TrimPrefix(marker, begin)
		case name != "":
			text += line
		}
	}
	if name != "" {
		return nil, fmt.Errorf("%s%s has no end", begin, name)
	}
	return found, nil
}

// A block is a fenced block of Go in a Markdown file.
type block struct{ file, region, code string }

// The comment before a block names where its code is run:
// <!-- examples/readme/api_test.go api -->
var source = regexp.MustCompile(`^<!-- (examples/readme/[a-z_]+\.go) ([a-z]+) -->$`)

// blocks returns the Go blocks of Markdown text, each with the comment above it.
func blocks(markdown string) []block {
	var found []block
	var current *block
	last := "" // the last line with text outside a block
	for line := range strings.Lines(markdown) {
		text := strings.TrimSpace(line)
		switch {
		case current != nil && text == "```":
			found, current = append(found, *current), nil
		case current != nil:
			current.code += line
		case text == "```go":
			current = &block{}
			if m := source.FindStringSubmatch(last); m != nil {
				current.file, current.region = m[1], m[2]
			}
		case text != "":
			last = text
		}
	}
	return found
}

func lines(code string) int {
	n := 0
	for line := range strings.Lines(code) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// Every Go block of the README is, letter by letter, code that this package
// compiles and runs, and keeps to its limit.
func TestReadmeIsRun(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for i, b := range blocks(read(t, filepath.Join(root, "README.md"))) {
		if b.file == "" {
			t.Errorf("Go block %d has no comment above it that names the file and region it is run in:\n%s", i+1, b.code)
			continue
		}
		in, err := regions(read(t, filepath.Join(root, filepath.FromSlash(b.file))))
		if err != nil {
			t.Errorf("%s: %v", b.file, err)
			continue
		}
		seen[b.region] = true
		if want := in[b.region]; b.code != want {
			t.Errorf("README's block %q is not the region of %s.\nREADME:\n%s\n%s:\n%s", b.region, b.file, b.code, b.file, want)
		}
		limit, ok := limits[b.region]
		if n := lines(b.code); !ok || n > limit {
			t.Errorf("README's block %q has %d lines of Go, limit %d", b.region, n, limit)
		}
	}
	for name := range limits {
		if !seen[name] {
			t.Errorf("the README shows no block %q", name)
		}
	}
}

func TestReadmeChecksCanFail(t *testing.T) {
	t.Parallel()
	got := blocks("<!-- examples/readme/api_test.go api -->\n\n```go\nx := 1\n\ny := 2\n```\ntext\n```go\nz\n```\n```sh\nls\n```\n")
	want := []block{{"examples/readme/api_test.go", "api", "x := 1\n\ny := 2\n"}, {"", "", "z\n"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("blocks: %q, want %q", got, want)
	}
	if n := lines(want[0].code); n != 2 {
		t.Errorf("lines: %d, want 2", n)
	}
	for _, bad := range []string{"// README:a\n", "// README:end\n", "// README:a\n// README:b\n// README:end\n"} {
		if r, err := regions(bad); err == nil {
			t.Errorf("regions(%q) = %v, want an error", bad, r)
		}
	}
}

// link is a Markdown link, without the title and the fragment.
var link = regexp.MustCompile(`\]\(([^)#\s]*)[^)]*\)`)

// Every relative link of the repository's documents leads to a file.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, doc), -1) {
			if m[1] == "" || strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
}

// documents are the repository's Markdown files.
func documents(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	var docs []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, found...)
	}
	if len(docs) < 10 {
		t.Fatalf("found only %d documents", len(docs))
	}
	return docs
}

// name is an exported name of one of the module's packages, as documents write
// it between backquotes, such as sso.NewVerifier or lambda.Config.Users.
var name = regexp.MustCompile("`[*&]?(sso|ssotest|middleware|storetest|lambda|users|sqlite|userstest)((?:\\.[A-Z]\\w*)+)")

var folders = map[string]string{
	"sso": "sso", "ssotest": "sso/ssotest", "middleware": "middleware", "storetest": "middleware/storetest",
	"lambda": "lambda", "users": "lambda/users", "sqlite": "lambda/users/sqlite", "userstest": "lambda/users/userstest",
}

// Every name of the module's packages that a document mentions exists.
func TestNames(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	for _, doc := range documents(t) {
		for _, m := range name.FindAllStringSubmatch(read(t, doc), -1) {
			symbol := strings.TrimPrefix(m[2], ".")
			if seen[m[1]+m[2]] {
				continue
			}
			seen[m[1]+m[2]] = true
			cmd := exec.CommandContext(t.Context(), "go", "doc", "./"+folders[m[1]], symbol)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s names %s.%s: %s", doc, m[1], symbol, out)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("found only %d names in the documents", len(seen))
	}
}

// The README's two commands are what CI runs.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	readme := read(t, filepath.Join(root, "README.md"))
	ci := read(t, filepath.Join(root, ".ci", "run"))
	for command, inCI := range map[string]string{
		"go run ./examples/quickstart": "go run ./examples/quickstart -check -json",
		"go test ./...":                "SSO_REQUIRE_REAL=1 go test -count=1 ./...",
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(command) + `\s*(#.*)?$`).MatchString(readme) {
			t.Errorf("the README does not show %q on a line of its own", command)
		}
		if !strings.Contains(ci, inCI) {
			t.Errorf(".ci/run does not run %q", inCI)
		}
	}
}
