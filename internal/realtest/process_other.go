//go:build !linux

package realtest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"syscall"
)

var errLinuxOnly = errors.New("works on Linux only")

// bind is weaker where the kernel cannot end a process with its parent: a test
// that is killed leaves its servers behind.
func bind(_ *exec.Cmd, _ syscall.Signal, as *user.User) error {
	if as != nil {
		return errLinuxOnly
	}
	return nil
}

func outlive(*exec.Cmd) {}

func own(_ string, as *user.User) error {
	if as != nil {
		return errLinuxOnly
	}
	return nil
}

func freeze(int) []int { return nil }

func thaw(int) {}

func crash(pid int) []int {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
	return nil
}

func alive(int) bool { return false }
