// Command rdsca downloads from AWS the certificates of the authorities that
// vouch for RDS databases, checks them, and writes them to a file for the
// archives of the Lambda functions.
//
//	go run ./internal/rdsca [-out dist/global-bundle.pem]
//
// It is run where functions are built, and again when AWS adds a region or an
// authority. The download is trusted because AWS's server proves who it is;
// besides, every authority in fingerprints.txt must be in it, and everything
// that is in it and not in fingerprints.txt is shown.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// source is the bundle of all regions but those of China and GovCloud.
const source = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"

func main() {
	out := flag.String("out", filepath.Join("dist", "global-bundle.pem"), "file to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client := &http.Client{Timeout: time.Minute}
	if err := run(ctx, client, source, *out, time.Now(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rdsca:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, client *http.Client, url, out string, now time.Time, report io.Writer) error {
	raw, err := download(ctx, client, url)
	if err != nil {
		return err
	}
	bundle, err := parse(raw, now)
	if err != nil {
		return err
	}
	if err := bundle.compare(known(), report); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(out, bundle.pem(), 0o644); err != nil { //nolint:gosec // public certificates, named by whoever builds
		return err
	}
	_, err = fmt.Fprintf(report, "%s: %d authorities, the first ends on %s\n", out, len(bundle.authorities), bundle.firstEnd().Format(time.DateOnly))
	return err
}

// sizeLimit is six times what the bundle has.
const sizeLimit = 1 << 20

func download(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || response.Request.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s: %s by %s", url, response.Status, response.Request.URL.Scheme)
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, sizeLimit+1))
	if err == nil && len(raw) > sizeLimit {
		err = fmt.Errorf("%s: more than %d bytes", url, sizeLimit)
	}
	return raw, err
}
