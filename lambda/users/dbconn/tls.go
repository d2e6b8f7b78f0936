package dbconn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// DefaultCAFile is where a Lambda function finds the file global-bundle.pem of
// its own archive: Amazon's authorities for RDS of all regions.
const DefaultCAFile = "/var/task/global-bundle.pem"

// TLS says whom to trust. The certificate of the database must always be of
// one of these authorities and for Config.Host. Set at most one of CAFile,
// CAPEM and SystemCAs.
type TLS struct {
	// CAFile has the authorities' certificates, PEM. Defaults to DefaultCAFile.
	CAFile string
	// CAPEM is the same, already read.
	CAPEM []byte
	// SystemCAs trusts the authorities of the operating system: for RDS Proxy,
	// whose certificates are of Amazon's public authorities.
	SystemCAs bool
	// InsecureNoTLS connects in clear. The server is then anybody who listens,
	// and everybody on the way reads along, so it MUST NOT be used but for a
	// database on this machine: any host but a loopback one is an error.
	InsecureNoTLS bool
}

func (t TLS) check(host string, password PasswordSource, bad func(field, format string, args ...any)) {
	given := 0
	for _, is := range []bool{t.CAFile != "", t.CAPEM != nil, t.SystemCAs, t.InsecureNoTLS} {
		if is {
			given++
		}
	}
	if given > 1 {
		bad("TLS", "more than one of CAFile, CAPEM, SystemCAs and InsecureNoTLS is set")
	}
	if !t.InsecureNoTLS {
		return
	}
	if !Loopback(host) {
		bad("TLS.InsecureNoTLS", "the host is not a loopback one")
	}
	if _, ok := password.(*IAM); ok {
		bad("TLS.InsecureNoTLS", "a token is sent in clear, so it needs TLS")
	}
}

// Loopback reports whether host is this machine, by its address or as
// "localhost".
func Loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// TLSConfig reads the authorities and returns the configuration for the
// driver, or nil for none. A driver MUST then neither skip the verification
// nor try again without TLS. Errors are [ErrConfig].
func (c Config) TLSConfig() (*tls.Config, error) {
	if c.TLS.InsecureNoTLS {
		if !Loopback(c.Host) { // fail closed: a caller may not have validated
			return nil, fmt.Errorf("%w: TLS.InsecureNoTLS: the host is not a loopback one", ErrConfig)
		}
		return nil, nil //nolint:nilnil // no TLS is what was asked for
	}
	roots, err := c.TLS.roots()
	if err != nil {
		return nil, fmt.Errorf("%w: TLS: %w", ErrConfig, err)
	}
	return &tls.Config{RootCAs: roots, ServerName: c.Host, MinVersion: tls.VersionTLS12}, nil
}

func (t TLS) roots() (*x509.CertPool, error) {
	if t.SystemCAs {
		return x509.SystemCertPool()
	}
	pem := t.CAPEM
	if pem == nil {
		file := t.CAFile
		if file == "" {
			file = DefaultCAFile
		}
		var err error
		if pem, err = os.ReadFile(file); err != nil { //nolint:gosec // whoever deploys the function names it
			return nil, fmt.Errorf("CAFile: %w", err)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate among the authorities")
	}
	return pool, nil
}
