// Command ssoctl compares the user pool with the user table, repairs what is
// not in step, and prepares an existing table.
//
//	ssoctl reconcile     compare, and with -apply repair
//	ssoctl import-check  what linking will do to the table, before go-live
//	ssoctl migrate       what the table lacks, and with -apply add it
//	ssoctl version
//
// "ssoctl help COMMAND" lists the flags of a command. Nothing is changed
// without -apply.
//
// # Environment
//
// The same variables as those of the Lambda functions say where the table is
// and how it is laid out; "ssoctl help environment" lists them.
//
// # Output
//
// Results go to standard output: tables for people, or with -json JSON for
// programs. Progress, warnings and errors go to standard error; there is a
// progress bar only if that is a terminal. No output has an email, a name or a
// username; subs are shown with -show-subs only.
//
// # Exit status
//
//	0  done, and nothing is wrong (any more)
//	1  done, and something is wrong still
//	2  a mistake in flags, environment or checkpoint; nothing was done
//	3  could not finish: pool or table out of reach, or interrupted
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// The exit statuses.
const (
	exitOK = iota
	exitDrift
	exitUsage
	exitUnfinished
)

// errUsage is a mistake of the caller's; errDrift is no failure, but a result.
var (
	errUsage = errors.New("usage")
	errDrift = errors.New("drift")
)

// cli is what a command has to do with the world.
type cli struct {
	out, err io.Writer
	environ  []string
}

type command struct {
	name, summary string
	run           func(c *cli, ctx context.Context, args []string) error
}

var commands []command

func init() { // not in the declaration: help reads it
	commands = []command{
		{"reconcile", "compare the pool with the table, and repair with -apply", (*cli).reconcile},
		{"import-check", "say what linking will do to the table, before go-live", (*cli).importCheck},
		{"migrate", "show what the table lacks, and add it with -apply", (*cli).migrate},
		{"version", "print the version", (*cli).version},
		{"help", "explain a command, or \"environment\"", (*cli).help},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	c := &cli{out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(c.status(c.main(ctx, os.Args[1:])))
}

func (c *cli) main(ctx context.Context, args []string) error {
	if len(args) == 0 {
		c.usage(c.err)
		return errUsage
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	for _, cmd := range commands {
		if cmd.name == name {
			return cmd.run(c, ctx, args[1:])
		}
	}
	c.usage(c.err)
	return fmt.Errorf("%w: there is no command %q", errUsage, args[0])
}

// status tells the exit status of an error, and prints what is to be said.
func (c *cli) status(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errDrift):
		return exitDrift
	case errors.Is(err, errUsage):
		if text := strings.TrimPrefix(err.Error(), errUsage.Error()+": "); text != errUsage.Error() {
			_, _ = fmt.Fprintln(c.err, "ssoctl: "+text)
		}
		return exitUsage
	}
	_, _ = fmt.Fprintln(c.err, "ssoctl: "+err.Error())
	return exitUnfinished
}

func (c *cli) usage(w io.Writer) {
	_, _ = fmt.Fprint(w, "ssoctl keeps the user pool and the user table in step.\n\nUsage: ssoctl COMMAND [flags]\n\n")
	for _, cmd := range commands {
		_, _ = fmt.Fprintf(w, "  %-13s %s\n", cmd.name, cmd.summary)
	}
	_, _ = fmt.Fprint(w, "\nNothing is changed without -apply. \"ssoctl help COMMAND\" lists flags, \"ssoctl help environment\" the\n"+
		"variables that say where pool and table are.\n\n"+exitText)
}

const exitText = `Exit status:
  0  done, and nothing is wrong (any more)
  1  done, and something is wrong still
  2  a mistake in flags, environment or checkpoint; nothing was done
  3  could not finish: pool or table out of reach, or interrupted
`

// flags makes the flag set of a command, whose usage goes where it was asked
// for.
func (c *cli) flags(name, synopsis, text string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(c.err)
	fs.Usage = func() {
		_, _ = fmt.Fprintf(fs.Output(), "Usage: ssoctl %s %s\n\n%s\nFlags:\n", name, synopsis, text)
		fs.PrintDefaults()
	}
	return fs
}

// parse reads the flags; none of the commands takes other arguments.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage // it is printed already
	}
	if fs.NArg() > 0 {
		fs.Usage()
		return fmt.Errorf("%w: %s takes no arguments, but there is %q", errUsage, fs.Name(), fs.Arg(0))
	}
	return nil
}

func (c *cli) help(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		c.usage(c.out)
		return nil
	case args[0] == "environment":
		_, _ = fmt.Fprint(c.out, environmentText)
		return nil
	case args[0] == "help":
		c.usage(c.out)
		return nil
	}
	onOut := *c
	onOut.err = c.out // help that was asked for is the output
	return onOut.main(ctx, []string{args[0], "-help"})
}

func (c *cli) version(_ context.Context, args []string) error {
	fs := c.flags("version", "", "Prints the version of ssoctl, of Go, and the platform.\n")
	if err := parse(fs, args); err != nil {
		return err
	}
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	_, _ = fmt.Fprintf(c.out, "ssoctl %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
