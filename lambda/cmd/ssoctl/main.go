// Command ssoctl compares the user pool with the user table, repairs what is
// not in step, and prepares an existing table.
//
//	ssoctl doctor        what of the live pool is not as it must be
//	ssoctl reconcile     compare, and with --apply repair
//	ssoctl import-check  what linking will do to the table, before go-live
//	ssoctl migrate       what the table lacks, and with --apply add it
//	ssoctl token inspect what a token says, and which check refuses it
//	ssoctl jwks          the pool's keys, and which are usable
//	ssoctl login         tokens for a developer, through the browser
//	ssoctl queue redrive dead letters, and with --apply back to the queue
//	ssoctl version
//	ssoctl completion    a script that completes commands and flags in a shell
//
// "ssoctl help COMMAND" lists the flags of a command. Nothing is changed
// without --apply.
//
// # Environment
//
// The same variables as those of the Lambda functions say where the table is
// and how it is laid out; "ssoctl help environment" lists them.
//
// # Output
//
// Results go to standard output: tables for people, or with --json JSON for
// programs. Progress, warnings and errors go to standard error; there is a
// progress bar only if that is a terminal. No output has an email, a name or a
// username; subs are shown with --show-subs only.
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
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	c := &cli{out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(c.status(c.main(ctx, os.Args[1:])))
}

func (c *cli) main(ctx context.Context, args []string) error {
	root := &cobra.Command{
		Use: "ssoctl", Long: "ssoctl keeps the user pool and the user table in step, and says whether all is set up as it must be.\n\n" +
			"Nothing is changed without --apply. \"ssoctl help environment\" lists the variables that say where pool\nand table are.\n\n" + exitText,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var more string
			if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
				more = "; do you mean " + strings.Join(names, " or ") + "?"
			}
			return fmt.Errorf("%w: there is no command %q%s", errUsage, args[0], more)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _ = fmt.Fprint(c.err, cmd.Long+"\n"+cmd.UsageString())
			return errUsage
		},
	}
	root.SetArgs(twoDashes(args))
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w (\"%s --help\" lists the flags)", errUsage, err, cmd.CommandPath())
	})
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(c.doctorCommand(), c.reconcileCommand(), c.importCheckCommand(), c.migrateCommand(), c.tokenCommand(), c.jwksCommand(), c.loginCommand(), c.queueCommand(), c.versionCommand(),
		&cobra.Command{Use: "environment", Short: "the variables that the commands read", Long: environmentText}) // a help topic
	return root.ExecuteContext(ctx)
}

// helpCommand is cobra's, but says so where there is nothing to explain.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "explain a command, or \"environment\"",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("%w: there is no help for %q", errUsage, strings.Join(args, " "))
			}
			return cmd.Help()
		},
	}
}

// oneDash is a long flag as package flag spells it.
var oneDash = regexp.MustCompile(`^-[a-z][a-z-]+(=|$)`)

// twoDashes makes -apply of Go's own tools the --apply of others.
func twoDashes(args []string) []string {
	all := make([]string, len(args))
	rest := false // behind "--" nothing is a flag
	for i, arg := range args {
		rest = rest || arg == "--"
		if !rest && oneDash.MatchString(arg) {
			arg = "-" + arg
		}
		all[i] = arg
	}
	return all
}

// noArguments is for a command that takes flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: %s takes no arguments, but there is %q", errUsage, cmd.Name(), args[0])
	}
	return nil
}

// status tells the exit status of an error, and prints what is to be said.
func (c *cli) status(err error) int {
	switch {
	case err == nil:
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

const exitText = `Exit status:
  0  done, and nothing is wrong (any more)
  1  done, and something is wrong still
  2  a mistake in flags, environment or checkpoint; nothing was done
  3  could not finish: pool or table out of reach, or interrupted
`

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version of ssoctl and of Go, and the platform", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			version := "(devel)"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				version = info.Main.Version
			}
			_, err := fmt.Fprintf(c.out, "ssoctl %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
