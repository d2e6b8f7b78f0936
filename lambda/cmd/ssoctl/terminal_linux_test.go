package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// terminal opens a pseudo-terminal: what a program writes to tty, screen reads.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 { //nolint:gosec // ioctl
			t.Fatal(errno)
		}
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return screen, tty
}

// A token gets onto a terminal only if somebody insists.
func TestLoginPrintsToNoTerminal(t *testing.T) {
	t.Parallel()
	w := appWorld(t, ssotest.Config{})
	for _, row := range []struct {
		args []string
		want string
		not  string
	}{
		{[]string{"--print", "access"}, "would leave the token on the terminal", "Waiting"},
		{[]string{"--print", "access", "--force", "--timeout", "100ms"}, "Waiting", "would leave"},
	} {
		_, tty := terminal(t)
		var errs bytes.Buffer
		args := append([]string{"login", "--no-browser", "--callback", fmt.Sprintf("http://127.0.0.1:%d/cb", freePort(t))}, row.args...)
		cmd := w.command(t.Context(), t, args...)
		cmd.Stdout, cmd.Stderr = tty, &errs
		if got := status(t, cmd.Run()); got == ok || !strings.Contains(errs.String(), row.want) || strings.Contains(errs.String(), row.not) {
			t.Errorf("%v: %d, %s", row.args, got, errs.String())
		}
	}
}

// How far it is shows on a terminal, and nowhere else.
func TestProgressIsForTerminals(t *testing.T) {
	t.Parallel()
	w := newWorld(t).sqlite(t)
	run := func(stderr io.Writer, args ...string) {
		cmd := w.command(t.Context(), t, append([]string{"reconcile"}, args...)...)
		cmd.Stderr = stderr
		if got := status(t, cmd.Run()); got != ok {
			t.Errorf("%v: %d", args, got)
		}
	}
	for name, row := range map[string]struct {
		args  []string
		shown bool
	}{"a bar": {nil, true}, "none is wanted": {[]string{"--no-progress"}, false}} {
		screen, tty := terminal(t)
		shown := make(chan string)
		go func() {
			text, _ := io.ReadAll(screen) // its error is the end of the other side
			shown <- string(text)
		}()
		run(tty, row.args...)
		_ = tty.Close()
		if text := <-shown; strings.Contains(text, "comparing the pool") != row.shown || !row.shown && text != "" {
			t.Errorf("%s: the terminal shows %q", name, text)
		}
	}
	var text bytes.Buffer
	if run(&text); text.Len() > 0 {
		t.Errorf("without a terminal: %q", text.String())
	}
}
