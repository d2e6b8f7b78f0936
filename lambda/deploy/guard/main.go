// Command guard stops two kinds of mistakes before CloudFormation makes them.
//
//	go run ./lambda/deploy/guard parameters 10.20.0.0/16 < parameters.json
//
// checks the parameters of main.yaml, in the form of the AWS command line: by the
// templates' own rules, and that VpcCidr overlaps neither the database's subnets
// nor the networks that are named: the database's VPC, and what is peered with
// it. Run it in the repository.
//
//	aws cloudformation describe-change-set … --output json | go run ./lambda/deploy/guard changeset
//
// refuses a change set that would replace or take away the user pool, a client,
// a provider, the domain, a key or a queue. A change set of nested stacks has
// others below it, whose names are printed: each goes through the guard too.
//
// Exit status 1: do not go on. 2: the input or the command line is wrong.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/changeset"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/parameters"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// somewhere stands for the account and Region, on which no rule depends.
var somewhere = template.Where{Account: "000000000000", Region: "ap-northeast-2"}

func run(args []string, in io.Reader, out, complaints io.Writer) int {
	var err error
	switch {
	case len(args) == 1 && args[0] == "changeset":
		err = judge(in, out)
	case len(args) > 0 && args[0] == "parameters":
		err = check(args[1:], in)
	default:
		err = fmt.Errorf("%w: guard parameters [CIDR …] | guard changeset", errUsage)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage), errors.Is(err, changeset.ErrInput), errors.Is(err, parameters.ErrInput):
		_, _ = fmt.Fprintln(complaints, "guard:", err)
		return 2
	}
	_, _ = fmt.Fprintln(complaints, "guard: refused:", err)
	return 1
}

var errUsage = errors.New("usage")

func judge(in io.Reader, out io.Writer) error {
	r, err := changeset.Judge(in)
	if err != nil {
		return err
	}
	for _, id := range r.Nested {
		_, _ = fmt.Fprintln(out, "judge this one too:", id)
	}
	var errs []error
	for _, text := range r.Refused {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

func check(networks []string, in io.Reader) error {
	var taken []netip.Prefix
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		taken = append(taken, p)
	}
	set, err := template.Load(filepath.Join("lambda", "deploy", "templates"))
	if err != nil {
		return fmt.Errorf("%w: run it in the repository: %w", errUsage, err)
	}
	return parameters.Check(set, in, somewhere, taken...)
}
