package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// namespace is one of the network, and one of mounts with an /etc/hosts of its
// own. It hangs on one thread, which does the jobs.
type namespace struct {
	path string // for ip
	jobs chan func()
	once sync.Once     // closes end
	end  chan struct{} // no more jobs
	gone chan struct{} // closed with the thread's last work
}

func newNamespace(hosts string) (*namespace, error) {
	s := &namespace{jobs: make(chan func()), end: make(chan struct{}), gone: make(chan struct{})}
	made := make(chan error, 1)
	go func() {
		defer close(s.gone)
		// Never unlocked: the thread ends with this goroutine, and what it left
		// behind with it.
		runtime.LockOSThread()
		s.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), syscall.Gettid())
		err := enter(hosts)
		made <- err
		s.work()
	}()
	err := <-made
	if err != nil {
		s.close()
	}
	return s, err
}

func (s *namespace) work() {
	for {
		select {
		case f := <-s.jobs:
			f()
		case <-s.end:
			return
		}
	}
}

// enter leaves the machine's network for a new one, without IPv6, which the
// templates do not have.
func enter(hosts string) error {
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	for _, which := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0o600)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s *namespace) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case s.jobs <- func() { done <- f() }:
		return <-done
	case <-s.gone:
		return ErrClosed
	}
}

func (s *namespace) close() {
	s.once.Do(func() { close(s.end) })
	<-s.gone
}

// Allowed reports why namespaces and what the lab needs in them cannot be made
// here, or nil. It needs ip and nft in PATH.
func Allowed(ctx context.Context) error {
	s, err := newNamespace("/etc/hosts")
	if err != nil {
		return fmt.Errorf("network namespaces: %w (they need root)", err)
	}
	defer s.close()
	n := &node{name: "a trial", space: s}
	return errors.Join(
		n.command(ctx, "link add h0 type veth peer name h1\nrule add priority 34000 blackhole", "ip", "-batch", "-"),
		n.command(ctx, "table ip t {\nchain f {\ntype filter hook forward priority filter;\nct state established accept\n}\nchain n {\ntype nat hook postrouting priority srcnat;\nmasquerade\n}\n}", "nft", "-f", "-"),
	)
}

// Dial tries to open a connection by TCP, for so long. It is an error if the
// host itself cannot try.
func (h *Host) Dial(to netip.AddrPort, patience time.Duration) (Outcome, error) {
	var fd int
	err := h.Do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return "", err
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	f := os.NewFile(uintptr(fd), "socket")
	defer func() { _ = f.Close() }()
	if errors.Is(err, syscall.EINPROGRESS) {
		err = await(f, patience)
	}
	switch {
	case err == nil:
		return Open, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Closed, nil
	}
	return "", err
}

// await waits until the connection is there, or cannot be.
func await(f *os.File, patience time.Duration) error {
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetDeadline(time.Now().Add(patience))
	}
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR) //nolint:gosec // a descriptor
		if err == nil && code != 0 {
			err = syscall.Errno(code) //nolint:gosec // an errno
		}
		failed = err
		_, err = syscall.Getpeername(int(fd)) //nolint:gosec // a descriptor
		return failed != nil || err == nil
	})
	return errors.Join(failed, err)
}
