package realtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// broom reads names of directories until its input ends, as it does when we
// do, and removes them. What still runs in them has a moment to go away.
const broom = `set --
while IFS= read -r dir; do set -- "$@" "$dir"; done
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	rm -rf -- "$@" && exit
	sleep 0.1
done`

// sweeper removes directories after us: a test binary ends without a word to
// its packages, or is killed.
var sweeper sweep

type sweep struct {
	mu   sync.Mutex // guards dirs
	dirs io.Writer  // the input of a shell that runs broom; nil until the first
}

func (s *sweep) add(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirs == nil {
		if err := s.start(); err != nil {
			return fmt.Errorf("who removes directories: %w", err)
		}
	}
	_, err := fmt.Fprintln(s.dirs, dir)
	return err
}

func (s *sweep) start() error {
	// By its path, and with the usual ones: tests also run where PATH has Go alone.
	cmd := exec.Command("/bin/sh", "-c", broom) //nolint:noctx // outlives us, on purpose
	cmd.Env = append(os.Environ(), "PATH=/usr/local/bin:/usr/bin:/bin")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	outlive(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.dirs = stdin
	return nil
}
