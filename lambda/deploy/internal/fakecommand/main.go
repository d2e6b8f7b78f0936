// Command fakecommand stands in a test's PATH for a command such as aws. In the
// folder that FAKE_COMMANDS names, it adds the call to the file "calls" and
// answers with the first of the file "answers" whose words are in the call. A
// call that nobody has an answer for fails.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Call is a line of "calls".
type Call struct {
	Command string
	Args    []string
	// Files are the contents of arguments that begin with file://.
	Files []string
}

// Answer is an item of "answers".
type Answer struct {
	Call     string // words that are in the call
	Out, Err string
	Exit     int
	Through  string // the real command, which answers instead
}

func main() {
	call := Call{Command: filepath.Base(os.Args[0]), Args: os.Args[1:]}
	for _, arg := range call.Args {
		if path, ok := strings.CutPrefix(arg, "file://"); ok {
			content, err := os.ReadFile(path) //nolint:gosec // the test names it
			if err != nil {
				fail(err)
			}
			call.Files = append(call.Files, string(content))
		}
	}
	record(call)
	answer(call)
}

func record(call Call) {
	line, err := json.Marshal(call)
	if err != nil {
		fail(err)
	}
	f, err := os.OpenFile(filepath.Join(os.Getenv("FAKE_COMMANDS"), "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the test names it
	if err != nil {
		fail(err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		fail(err)
	}
	_ = f.Close() // the write went well
}

func answer(call Call) {
	raw, err := os.ReadFile(filepath.Join(os.Getenv("FAKE_COMMANDS"), "answers")) //nolint:gosec // the test names it
	if err != nil {
		fail(err)
	}
	var answers []Answer
	if err := json.Unmarshal(raw, &answers); err != nil {
		fail(err)
	}
	text := strings.Join(append([]string{call.Command}, call.Args...), " ")
	for _, a := range answers {
		if strings.Contains(text, a.Call) {
			give(a, call.Args)
		}
	}
	fail(fmt.Errorf("nobody has an answer for %s", text))
}

// give ends the process.
func give(a Answer, args []string) {
	if a.Through != "" {
		cmd := exec.Command(a.Through, args...) //nolint:gosec,noctx // the test names it; it ends with the test
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fail(err)
		}
		os.Exit(0)
	}
	_, _ = fmt.Fprint(os.Stdout, a.Out)
	_, _ = fmt.Fprint(os.Stderr, a.Err)
	os.Exit(a.Exit)
}

func fail(err error) {
	_, _ = fmt.Fprintln(os.Stderr, "fakecommand:", err)
	os.Exit(97)
}
