package fleettest

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"time"
)

// clock is one clock for all processes: the machine's, and an offset in a file
// of eight bytes.
type clock struct {
	file   *os.File
	offset atomic.Int64 // of the process that moves it
}

func newClock(path string) (*clock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a path of ours
	if err != nil {
		return nil, err
	}
	c := &clock{file: f}
	err = c.advance(0)
	return c, err
}

// advance moves it, for everybody.
func (c *clock) advance(d time.Duration) error {
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(c.offset.Add(int64(d)))) //nolint:gosec // comes back as it was
	_, err := c.file.WriteAt(raw[:], 0)
	return err
}

// at is what the clock shows at a time of the machine's, for who moves it.
func (c *clock) at(t time.Time) time.Time { return t.Add(time.Duration(c.offset.Load())) }

// readClock returns the clock of a process that only looks.
func readClock(path string) (func() time.Time, error) {
	f, err := os.Open(path) //nolint:gosec // a path of ours
	if err != nil {
		return nil, err
	}
	return func() time.Time {
		var raw [8]byte
		if _, err := f.ReadAt(raw[:], 0); err != nil {
			panic("fleettest: no clock: " + err.Error()) // fail closed: no time is right
		}
		return time.Now().Add(time.Duration(binary.LittleEndian.Uint64(raw[:]))) //nolint:gosec // as it was written
	}, nil
}
