package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// options is the command line.
type options struct {
	check, json bool
	users       int
	keep, env   string
	// Addresses; "" is the default one, or a free port if that is taken.
	pool, board, desk string
}

// Where things are served unless a flag says otherwise or the port is taken.
// The pool has another host name than the apps, so that browsers treat its
// cookies as another site's, as they do with Cognito.
const (
	defaultPool  = "127.0.0.1:9400"
	defaultBoard = "localhost:9401"
	defaultDesk  = "localhost:9402"
	defaultUsers = 200
	maxUsers     = 100_000
)

// errUsage marks errors that the command line causes.
var errUsage = errors.New("wrong command line")

type usageError struct{ problem string }

func (e *usageError) Error() string        { return e.problem }
func (e *usageError) Is(target error) bool { return target == errUsage }

func badUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// parseOptions reads the command line. Its error is a usage error, or
// flag.ErrHelp.
func parseOptions(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints errors, once
	fs.BoolVar(&o.check, "check", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.IntVar(&o.users, "users", defaultUsers, "")
	fs.StringVar(&o.keep, "keep", "", "")
	fs.StringVar(&o.env, "env", "", "")
	fs.StringVar(&o.pool, "pool", "", "")
	fs.StringVar(&o.board, "board", "", "")
	fs.StringVar(&o.desk, "desk", "", "")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return options{}, err
		}
		return options{}, badUsage("%v", err)
	}
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return o, o.validate(fs.Args(), set)
}

func (o options) validate(rest []string, set map[string]bool) error {
	if len(rest) > 0 {
		return badUsage("unexpected argument %q: there are only flags", rest[0])
	}
	for _, name := range []string{"json", "users"} {
		if set[name] && !o.check {
			return badUsage("-%s goes with -check", name)
		}
	}
	if o.users < 1 || o.users > maxUsers {
		return badUsage("-users %d: want 1 to %d", o.users, maxUsers)
	}
	if set["env"] && o.check {
		return badUsage("-env does not go with -check, which ends by itself")
	}
	for _, f := range []struct{ flag, dir string }{{"keep", o.keep}, {"env", o.env}} {
		if !set[f.flag] {
			continue
		}
		if err := checkFolder(f.flag, f.dir); err != nil {
			return err
		}
	}
	seen := map[string]string{}
	for _, a := range []struct{ flag, addr string }{{"pool", o.pool}, {"board", o.board}, {"desk", o.desk}} {
		if !set[a.flag] {
			continue
		}
		port, err := checkAddr(a.flag, a.addr)
		if err != nil {
			return err
		}
		if other := seen[port]; other != "" && port != "0" {
			return badUsage("-%s and -%s have the same port %s", other, a.flag, port)
		}
		seen[port] = a.flag
	}
	return nil
}

// checkFolder refuses what cannot become the folder of -keep or -env.
func checkFolder(name, dir string) error {
	if dir == "" {
		return badUsage("-%s needs a folder", name)
	}
	switch info, err := os.Stat(dir); {
	case err == nil && !info.IsDir():
		return badUsage("-%s %s: is a file, want a folder", name, dir)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return badUsage("-%s: %v", name, err)
	}
	return nil
}

// checkAddr accepts addresses of this machine only: the stand-in believes
// whatever is typed on its pages, so nobody else may reach it.
func checkAddr(name, addr string) (port string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", badUsage("-%s %q: want host:port, such as %s", name, addr, defaultBoard)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", badUsage("-%s %q: the port must be 0 to 65535", name, addr)
	}
	if name == "pool" && host != "127.0.0.1" || host != "127.0.0.1" && host != "localhost" {
		want := "localhost or 127.0.0.1"
		if name == "pool" {
			want = "127.0.0.1"
		}
		return "", badUsage("-%s %q: the host must be %s, since this is for your machine alone", name, addr, want)
	}
	return port, nil
}

func printUsage(w io.Writer) {
	say(w, `The whole story on one machine: Kakao or Google sign-in through a stand-in for
Amazon Cognito, an existing user table, and two apps that share the sign-in.

Usage:
  go run ./examples/quickstart [flags]          start it; open what it prints
  go run ./examples/quickstart -check [flags]   go through it without a browser

Flags:
  -check         check the whole story, print a table, exit 0 only if all of it holds
  -json          with -check: print one JSON object instead of the table
  -users N       with -check: how many users are timed (default %d)
  -keep DIR      keep the database and the keys in DIR, and go on from there the next
                 time (default: a temporary folder, removed at the end)
  -env DIR       write what ssoctl and an app need to find all this into DIR, as files
                 of variables; they are removed at the end
  -pool ADDR     address of the stand-in (default %s)
  -board ADDR    address of the community board (default %s)
  -desk ADDR     address of the event desk (default %s)
  -h             this help

A default port that is taken is replaced by a free one; an address that you give
is not. Port 0 means any free port.

Exit codes: 0 all is well, 1 something did not hold or could not start, 2 wrong
command line.
`, defaultUsers, defaultPool, defaultBoard, defaultDesk)
}
