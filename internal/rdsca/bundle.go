package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed fingerprints.txt
var fingerprints string

// known is fingerprint → name of what must be in a bundle.
func known() map[string]string {
	names := map[string]string{}
	for line := range strings.Lines(fingerprints) {
		if fingerprint, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && !strings.HasPrefix(line, "#") {
			names[fingerprint] = name
		}
	}
	return names
}

// bundle is what a download holds that is good for anything.
type bundle struct{ authorities []*x509.Certificate }

// parse takes every certificate that is not over yet. One that is no authority
// of RDS spoils the whole: something is wrong with the download then.
func parse(raw []byte, now time.Time) (bundle, error) {
	var b bundle
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return bundle{}, fmt.Errorf("certificate %d: %w", len(b.authorities)+1, err)
		}
		if now.After(cert.NotAfter) {
			continue
		}
		if err := check(cert); err != nil {
			return bundle{}, fmt.Errorf("%q: %w", cert.Subject.CommonName, err)
		}
		b.authorities = append(b.authorities, cert)
	}
	if len(b.authorities) == 0 {
		return bundle{}, errors.New("no certificate")
	}
	return b, nil
}

func check(cert *x509.Certificate) error {
	switch {
	case !cert.IsCA || !cert.BasicConstraintsValid:
		return errors.New("not an authority")
	case !strings.HasPrefix(cert.Subject.CommonName, "Amazon RDS "):
		return errors.New("not an authority of RDS")
	case !bytes.Equal(cert.RawIssuer, cert.RawSubject):
		return errors.New("not a root")
	}
	return cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// compare reports what is new, and fails if anything known is missing: AWS does
// not take back a root that is not over, so that is somebody else's file, or
// fingerprints.txt must be looked at by a person.
func (b bundle) compare(known map[string]string, report io.Writer) error {
	missing := maps.Clone(known)
	for _, cert := range b.authorities {
		f := fingerprint(cert)
		delete(missing, f)
		if known[f] == "" {
			if _, err := fmt.Fprintf(report, "new: %s  %s\n", f, cert.Subject.CommonName); err != nil {
				return err
			}
		}
	}
	var errs []error
	for _, f := range slices.Sorted(maps.Keys(missing)) {
		errs = append(errs, fmt.Errorf("missing: %s  %s", f, missing[f]))
	}
	return errors.Join(errs...)
}

func (b bundle) pem() []byte {
	var out bytes.Buffer
	for _, cert := range b.authorities {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a Buffer takes all
	}
	return out.Bytes()
}

func (b bundle) firstEnd() time.Time {
	return slices.MinFunc(b.authorities, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}
