// Package calls says which operations of AWS a program can call at all.
//
// It reads the program's symbols: the linker keeps a method of an SDK client
// only if something in the program can reach it, so what is not there cannot be
// called, whatever the configuration. A scan of the source would find every
// call of every package that is compiled in, of which a function uses a part.
package calls

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
)

// operation is a method of an SDK client that goes over the network, or the
// signing of a database token, which takes a right as well.
var operation = regexp.MustCompile(`github\.com/aws/aws-sdk-go-v2/(?:service|feature)/([a-z0-9/]+)\.(?:\(\*Client\)\.([A-Z]\w*)|(BuildAuthToken\w*))$`)

// plumbing are methods of clients that call nothing.
var plumbing = map[string]bool{"Options": true}

// Of are the operations in the binary, such as sqs.SendMessage, sorted. It
// needs the go command, and a binary with its symbols.
func Of(ctx context.Context, binary string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "nm", binary) //nolint:gosec // a file that the caller built
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go tool nm %s: %w", binary, err)
	}
	if !bytes.Contains(out, []byte(" main.main")) {
		return nil, fmt.Errorf("%s has no symbols", binary)
	}
	var found []string
	for line := range bytes.Lines(out) {
		if m := operation.FindSubmatch(bytes.TrimSpace(line)); len(m) > 0 && !plumbing[string(m[2])] {
			found = append(found, fmt.Sprintf("%s.%s%s", m[1], m[2], m[3]))
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
