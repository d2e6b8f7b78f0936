package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
)

// place is the file that a run keeps its place in.
type place struct {
	path   string // "" for none
	must   bool   // the caller named the file, so that it must be written
	from   *reconcile.Checkpoint
	saved  bool
	failed error
}

const noFile = "-"

func openPlace(f reconcileFlags, pool string) (*place, error) {
	p := &place{path: f.checkpoint, must: f.checkpoint != ""}
	if p.path == "" {
		p.path = f.resume
	}
	if p.path == "" {
		p.path = "ssoctl-" + pool + ".checkpoint"
	}
	if p.path == noFile {
		p.path = ""
	}
	if f.resume == "" {
		return p, nil
	}
	text, err := os.ReadFile(f.resume)
	if err != nil {
		return nil, fmt.Errorf("%w: --resume: %w", errUsage, err)
	}
	p.from = new(reconcile.Checkpoint)
	if json.Unmarshal(text, p.from) != nil {
		return nil, fmt.Errorf("%w: --resume: %s is no checkpoint", errUsage, f.resume)
	}
	return p, nil
}

// save replaces the file as a whole, so that there is always a good one. Cognito's
// token may have a username in it, so nobody else may read it.
func (p *place) save(c reconcile.Checkpoint) error {
	if p.path == "" {
		return nil
	}
	err := p.write(c)
	p.saved, p.failed = p.saved || err == nil, err
	if p.must {
		return err
	}
	return nil // a place that nobody asked for is no reason to stop
}

func (p *place) write(c reconcile.Checkpoint) (err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(p.path), ".ssoctl-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name())
		}
	}()
	_, err = next.Write(text)
	err = errors.Join(err, next.Sync(), next.Close())
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), p.path)
}

// done removes the file that this run wrote or went on from.
func (p *place) done() error {
	if p.path == "" || !p.saved && p.from == nil {
		return nil
	}
	if err := os.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the caller named it
		return err
	}
	return nil
}
