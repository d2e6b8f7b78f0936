package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authorities writes a file of the shape of RDS's global bundle: for each of 36
// regions one authority each with RSA 2048, RSA 4096 and P-384. The functions
// read such a file when they start.
func authorities(t testing.TB) string {
	t.Helper()
	var keys []crypto.Signer
	for _, bits := range []int{2048, 4096} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, curve)
	var bundle bytes.Buffer
	for n := range 36 * len(keys) {
		key := keys[n%len(keys)]
		name := pkix.Name{Country: []string{"US"}, Organization: []string{"Example Web Services, Inc."}, OrganizationalUnit: []string{"Example RDS"},
			Province: []string{"WA"}, Locality: []string{"Seattle"}, CommonName: fmt.Sprintf("Example RDS region-%d Root CA G%d", n/len(keys), n%len(keys))}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(n + 1)), Subject: name, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := pem.Encode(&bundle, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "global-bundle.pem")
	if err := os.WriteFile(path, bundle.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
