package realtest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// bind ties the process to this one: the kernel sends it whenDead if we die
// without a word. It runs as the account, unless that is nil.
func bind(cmd *exec.Cmd, whenDead syscall.Signal, as *user.User) error {
	// A group of its own: Ctrl-C in a terminal is for the test, which stops
	// its servers itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: whenDead, Setpgid: true}
	if as == nil {
		return nil
	}
	uid, gid, err := ids(as)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return nil
}

// outlive keeps signals for us from the process.
func outlive(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func ids(u *user.User) (uid, gid uint32, err error) {
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, err
	}
	m, err := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(n), uint32(m), err
}

// own gives the path to the account, unless that is nil.
func own(path string, as *user.User) error {
	if as == nil {
		return nil
	}
	uid, gid, err := ids(as)
	if err != nil {
		return err
	}
	return os.Chown(path, int(uid), int(gid))
}

// freeze stops the process and then its children, so that it makes no more of
// them, and returns these. thaw lets all of them go on.
func freeze(pid int) []int {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	below := children(pid)
	for _, child := range below {
		_ = syscall.Kill(child, syscall.SIGSTOP)
	}
	return below
}

func thaw(pid int) {
	for _, child := range children(pid) {
		_ = syscall.Kill(child, syscall.SIGCONT)
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// crash kills the process and its children, and says which these were.
func crash(pid int) []int {
	below := freeze(pid)
	for _, one := range append([]int{pid}, below...) {
		_ = syscall.Kill(one, syscall.SIGKILL)
	}
	return below
}

func children(pid int) []int {
	p := strconv.Itoa(pid)
	raw, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children") //nolint:gosec // the kernel's file
	if err != nil {
		return nil
	}
	var pids []int
	for _, field := range strings.Fields(string(raw)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// alive reports whether there is such a process, other than as a zombie.
func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// The name, in parentheses, may hold anything; the state is behind it.
	_, rest, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')')+1:]), " ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
