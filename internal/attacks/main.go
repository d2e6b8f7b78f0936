package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	ok, err := run(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attacks:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run runs the rows, from the module's root, and reports them.
func run(w io.Writer) (ok bool, err error) {
	// -count=1: a cached result would be of another day.
	args := append([]string{"test", "-json", "-count=1", "-timeout=20m", "-run", pattern()}, packages...)
	cmd := exec.Command("go", args...) //nolint:gosec,noctx // constants; it ends with the process
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	t, err := read(out)
	if err != nil {
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		return false, err
	}
	waitErr := cmd.Wait()
	ok = t.report(w)
	if waitErr != nil && ok {
		return false, fmt.Errorf("go test failed, and no row of it did: %w", waitErr)
	}
	return ok, nil
}
