package secretscan

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"strings"
	"sync"
)

// Main runs the tests of a package and searches all that it was shown, and what
// the process wrote meanwhile. It returns the exit status: that of the tests,
// or 1 if something was found. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(secretscan.Main(m)) }
func Main(m interface{ Run() int }) int {
	restore := tee()
	code := m.Run()
	restore()
	return report(os.Stderr, process.Findings(), code)
}

// report writes the findings, and returns the exit status.
func report(w io.Writer, found []Finding, code int) int {
	for _, f := range found {
		_, _ = fmt.Fprintln(w, "secretscan: found", f)
	}
	if len(found) > 0 && code == 0 {
		_, _ = fmt.Fprintln(w, "FAIL: the tests passed, and secrets or personal data were written")
		return 1
	}
	return code
}

// tee reads along with what is written to standard output and error and to the
// default log, until restore is called.
func tee() (restore func()) {
	out, err, logged := os.Stdout, os.Stderr, log.Writer()
	var wg sync.WaitGroup
	stdout := follow(&wg, out, "standard output")
	stderr := follow(&wg, err, "standard error")
	os.Stdout, os.Stderr = stdout, stderr
	if logged == err {
		log.SetOutput(stderr) // where slog's default writes too
	}
	return func() {
		os.Stdout, os.Stderr = out, err
		log.SetOutput(logged)
		_, _ = stdout.Close(), stderr.Close()
		wg.Wait()
	}
}

// follow returns a file whose lines are searched and go on to next.
func follow(wg *sync.WaitGroup, next *os.File, where string) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		panic("secretscan: " + err.Error()) // a process without two free files
	}
	wg.Go(func() {
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			_, _ = next.WriteString(line)
			if !ofTests(line) {
				Saw(where, line)
			}
			if err != nil {
				return
			}
		}
	})
	return w
}

// testLine is what package testing writes: names of tests, and what they log,
// which is indented. Under -json it begins with a control character.
var testLine = regexp.MustCompile(`^\x16?(=== |--- | {4}|PASS|FAIL|ok  |coverage: |panic: |goroutine |\t)`)

func ofTests(line string) bool { return testLine.MatchString(strings.TrimRight(line, "\n")) }
