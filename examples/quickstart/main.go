// Quickstart is the whole story on one machine: a stand-in for Amazon Cognito,
// a user table, the triggers that tie both together, and two apps that share
// one sign-in.
//
//	go run ./examples/quickstart          # then open the address it prints
//	go run ./examples/quickstart -check   # the same story without a browser
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it ran and something did not hold
	exitUsage  = 2 // it did not run: the command line is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(stdout)
		return exitOK
	case err != nil:
		say(stderr, "quickstart: %v\nTry: go run ./examples/quickstart -h\n", err)
		return exitUsage
	}
	if err := story(ctx, opts, stdout, stderr); err != nil {
		say(stderr, "quickstart: %v\n", err)
		if errors.Is(err, errUsage) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// errCheckFailed says that the check ran and a step is not ok.
var errCheckFailed = errors.New("the check failed: see the steps above")

// story starts the world and then either checks it or leaves it to people.
func story(ctx context.Context, opts options, stdout, stderr io.Writer) (err error) {
	logs := &laterLog{w: stderr}
	if !opts.check {
		logs.release()
	}
	defer func() {
		if err != nil {
			logs.release()
		}
	}()
	cfg := worldConfig{
		dir: opts.keep, poolAddr: opts.pool, boardAddr: opts.board, deskAddr: opts.desk,
		log: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	w, err := startWorld(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := w.Close(); err == nil {
			err = cerr
		}
	}()
	if opts.check {
		return checkAndReport(ctx, w, opts, stdout)
	}
	if opts.env != "" {
		if err := w.writeEnvironments(opts.env); err != nil {
			return err
		}
	}
	printWelcome(stdout, w, opts)
	select {
	case <-ctx.Done():
		say(stdout, "\nGood-bye. 안녕히 가세요.\n")
		return nil
	case err := <-w.failed:
		return err
	}
}

func checkAndReport(ctx context.Context, w *world, opts options, stdout io.Writer) error {
	report := runCheck(ctx, w, opts.users)
	if opts.json {
		if err := report.writeJSON(stdout); err != nil {
			return err
		}
	} else {
		report.writeTable(stdout)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted before the check was over")
	}
	if !report.OK {
		return errCheckFailed
	}
	return nil
}

func printWelcome(out io.Writer, w *world, opts options) {
	say(out, `
  One sign-in for every app · 하나의 로그인으로 모든 앱을

  Open    %-28s community board · 커뮤니티 게시판
  then    %-28s event desk · 행사 안내 데스크

  Sign in with Kakao or Google on the first one: nothing leaves this machine, and
  everybody on the stand-in's page is made up. The second one will not ask again.

  Behind  %-28s stand-in for Cognito (user pool %s)
  Table   %s
`, w.board.url, w.desk.url, w.pool.URL(), w.pool.ID(), w.backend.raw.where)
	if opts.keep == "" {
		say(out, "          thrown away at the end; -keep DIR keeps it\n")
	}
	if opts.env != "" {
		say(out, "  Tools   in another terminal: set -a; . %s/ssoctl.env; set +a\n", opts.env)
	}
	say(out, "\n  Ctrl-C ends it.\n")
}

// laterLog holds log lines back until they are wanted: the check makes errors
// on purpose, and their lines matter only if it fails.
type laterLog struct {
	mu       sync.Mutex // guards all
	w        io.Writer
	held     bytes.Buffer
	released bool
}

func (l *laterLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return l.w.Write(p)
	}
	return l.held.Write(p)
}

func (l *laterLog) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
	_, _ = l.held.WriteTo(l.w)
}

// say writes for a person. There is nobody to tell when that fails.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
