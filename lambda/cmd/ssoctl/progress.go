package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
)

// bar is a progress bar on a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer // nil for none
	phase reconcile.Phase
	now   *progressbar.ProgressBar
}

func newBar(w io.Writer, off bool) *bar {
	f, ok := w.(*os.File)
	if off || !ok || !term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor is small
		return &bar{}
	}
	return &bar{w: w}
}

var phaseText = map[reconcile.Phase]string{
	reconcile.PhaseTable: "reading the table   ",
	reconcile.PhasePool:  "comparing the pool  ",
	reconcile.PhaseGone:  "asking for lost subs",
	doctorPhase:          "asking AWS          ",
}

func (b *bar) show(p reconcile.Progress) {
	if b.w == nil {
		return
	}
	if b.now == nil || b.phase != p.Phase {
		b.clear()
		b.phase, b.now = p.Phase, newProgress(b.w, p)
	}
	if p.Total > 0 {
		b.now.ChangeMax(p.Total)
	}
	_ = b.now.Set(p.Done)
}

func newProgress(w io.Writer, p reconcile.Progress) *progressbar.ProgressBar {
	total, unit := p.Total, "users"
	if total == 0 {
		total = -1 // nobody knows
	}
	switch p.Phase {
	case reconcile.PhasePool:
	case doctorPhase:
		unit = "questions"
	default:
		unit = "rows"
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(phaseText[p.Phase]),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // it would go on drawing by itself
		progressbar.OptionClearOnFinish(),
	)
}

// clear takes the bar off the terminal, so that text can follow.
func (b *bar) clear() {
	if b.now != nil {
		_ = b.now.Clear()
		_ = b.now.Exit()
		b.now = nil
	}
}
