// Command lambdazip builds the Lambda functions for the runtime
// provided.al2023, on arm64 and x86-64, and packs each into an archive as
// Lambda takes it. The same code makes the same archives, bit by bit.
//
//	go run ./internal/lambdazip [-out dist] [-ca dist/global-bundle.pem] [-machine arm64]
//
// An archive holds the program, named bootstrap, and, if the file of -ca is
// there, the authorities of RDS as global-bundle.pem (see internal/rdsca).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

var (
	functions = []string{"sso-trigger", "sso-dbsync", "sso-signins"}
	machines  = []string{"arm64", "amd64"}
)

func main() {
	out := flag.String("out", "dist", "folder for the archives")
	ca := flag.String("ca", filepath.Join("dist", bundleName), "authorities of RDS, if there")
	machine := flag.String("machine", "", "arm64 or amd64; both if it is not said")
	flag.Parse()
	if slices.Contains(machines, *machine) {
		machines = []string{*machine}
	} else if *machine != "" {
		fmt.Fprintln(os.Stderr, "lambdazip: -machine is arm64 or amd64")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *ca, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lambdazip:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, out, ca string, report io.Writer) error {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return err
	}
	bundle, err := readBundle(ca)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(report, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "archive\tprogram MB\tarchive MB\t")
	for _, function := range functions {
		for _, machine := range machines {
			built, err := pack(ctx, out, function, machine, bundle)
			if err != nil {
				return fmt.Errorf("%s for %s: %w", function, machine, err)
			}
			_, _ = fmt.Fprintf(table, "%s\t%.2f\t%.2f\t\n", built.path, megabytes(built.program), megabytes(built.archive))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if bundle == nil {
		_, err = fmt.Fprintf(report, "without %s: run make rds-ca first, or set SSO_DB_CA_FILE\n", bundleName)
	}
	return err
}

func readBundle(path string) ([]byte, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // whoever builds names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
