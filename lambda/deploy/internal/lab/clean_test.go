package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
)

// The machine's own network is the same before, with and after a lab; and when
// the lab is closed nothing of it is left.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	needLab(t)
	before := machine(t)
	l := start(t, small(), nil)
	spaces := inodes(t, l)
	if with := machine(t); with != before {
		t.Errorf("before:\n%s\nwith a lab:\n%s", before, with)
	}
	if held := holders(spaces); len(held) == 0 {
		t.Error("nobody is in the lab, so this sees nothing")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wantGone(t, spaces)
	if err := l.All()[0].Do(func() error { return nil }); !errors.Is(err, lab.ErrClosed) {
		t.Errorf("error = %v", err)
	}
	if after := machine(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// A process that is killed in the middle leaves as little: all of it hangs on
// the process.
func TestLeavesNothingWhenKilled(t *testing.T) {
	t.Parallel()
	needLab(t)
	before := machine(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v") //nolint:gosec // ourselves
	files := t.TempDir()
	child.Env = append(os.Environ(), "LAB_CHILD=1", "TMPDIR="+files)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var spaces []string
	for lines := bufio.NewScanner(out); len(spaces) == 0 && lines.Scan(); {
		if list, ok := strings.CutPrefix(lines.Text(), "SPACES "); ok {
			spaces = strings.Fields(list)
		}
	}
	if len(spaces) == 0 || len(holders(spaces)) == 0 {
		t.Errorf("the child made %d namespaces", len(spaces))
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	wantGone(t, spaces)
	if left, err := os.ReadDir(files); err != nil || len(left) != 0 {
		t.Errorf("files %v, %v", left, err)
	}
	if after := machine(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestChild is the process that is killed.
func TestChild(t *testing.T) { //nolint:paralleltest // a process of its own
	if os.Getenv("LAB_CHILD") == "" {
		t.Skip("it is started by another test")
	}
	l := start(t, small(), nil)
	fmt.Println("SPACES", strings.Join(inodes(t, l), " "))
	select {}
}

// machine is the network that this process itself is in.
func machine(t *testing.T) string {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range links {
		addrs, err := l.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(l.Name, " ", l.Flags, " ", addrs))
	}
	out = append(out, read(t, "/proc/self/net/route"), read(t, "/proc/sys/net/ipv4/ip_forward"), read(t, "/etc/hosts"))
	named, _ := filepath.Glob("/run/netns/*")
	return strings.Join(append(out, named...), "\n")
}

// inodes name the namespaces of a lab's hosts.
func inodes(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	var out []string
	for _, h := range l.All() {
		var name string
		err := h.Do(func() (err error) {
			name, err = os.Readlink("/proc/thread-self/ns/net")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

// holders are the threads of this machine in one of the namespaces.
func holders(spaces []string) []string {
	var out []string
	threads, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	for _, thread := range threads {
		if name, err := os.Readlink(thread); err == nil && slices.Contains(spaces, name) {
			out = append(out, thread)
		}
	}
	return out
}

// wantGone: the kernel takes a moment to end a thread.
func wantGone(t *testing.T, spaces []string) {
	t.Helper()
	var held []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if held = holders(spaces); len(held) == 0 {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Errorf("still in the lab: %v", held)
}
