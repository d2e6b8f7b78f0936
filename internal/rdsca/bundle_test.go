package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// root is a certificate that signs itself, changed before it is signed.
func root(t *testing.T, name string, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(30, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func file(certs ...*x509.Certificate) []byte { return bundle{certs}.pem() }

func TestFingerprints(t *testing.T) {
	t.Parallel()
	names, form := map[string]bool{}, regexp.MustCompile(`^Amazon RDS [a-z]{2}-[a-z]+-\d Root CA (RSA2048|RSA4096|ECC384) G1$`)
	for f, name := range known() {
		if len(f) != 64 || strings.Trim(f, "0123456789abcdef") != "" || !form.MatchString(name) || names[name] {
			t.Errorf("%s  %s", f, name)
		}
		names[name] = true
	}
	if len(names) != 29*3 {
		t.Errorf("%d authorities, want three for each of 29 regions", len(names))
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := root(t, "Amazon RDS xx-test-1 Root CA ECC384 G1", nil)
	other := root(t, "Amazon RDS xx-test-2 Root CA ECC384 G1", func(c *x509.Certificate) { c.NotAfter = now.AddDate(5, 0, 0) })
	over := root(t, "Amazon RDS Root 2019 CA", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	forged := *good
	forged.Raw = bytes.Clone(good.Raw)
	forged.Raw[len(forged.Raw)-1] ^= 1
	for _, row := range []struct {
		name string
		raw  []byte
		want int // 0 is an error
	}{
		{"two", file(good, other), 2},
		{"one that is over is left out", file(over, good), 1},
		{"text around", append([]byte("# comment\n"), file(good)...), 1},
		{"nothing", nil, 0},
		{"a page of HTML", []byte("<html>"), 0},
		{"only what is over", file(over), 0},
		{"no authority", file(good, root(t, "Amazon RDS x", func(c *x509.Certificate) { c.IsCA = false })), 0},
		{"somebody else's authority", file(good, root(t, "Example Root", nil)), 0},
		{"a signature that is wrong", file(&forged), 0},
		{"not a certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b, err := parse(row.raw, now)
			if len(b.authorities) != row.want || (err == nil) != (row.want > 0) {
				t.Errorf("%d authorities, %v", len(b.authorities), err)
			}
		})
	}
	if b, err := parse(file(good, other), now); err != nil || !b.firstEnd().Equal(other.NotAfter) {
		t.Errorf("first end: %v", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	old, fresh := root(t, "Amazon RDS a", nil), root(t, "Amazon RDS b", nil)
	expected := map[string]string{fingerprint(old): "Amazon RDS a"}
	var report strings.Builder
	if err := (bundle{[]*x509.Certificate{old, fresh}}).compare(expected, &report); err != nil || report.String() != "new: "+fingerprint(fresh)+"  Amazon RDS b\n" {
		t.Errorf("%v, %s", err, report.String())
	}
	// The same name and another key is what a swapped file looks like.
	swapped := bundle{[]*x509.Certificate{root(t, "Amazon RDS a", nil)}}
	if err := swapped.compare(expected, io.Discard); err == nil || !strings.Contains(err.Error(), "missing: "+fingerprint(old)) {
		t.Errorf("error = %v", err)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	answers := map[string]func(http.ResponseWriter){
		"/good":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "text") },
		"/gone":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"/large": func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, sizeLimit+1)) },
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) })
	secure, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	if raw, err := download(t.Context(), secure.Client(), secure.URL+"/good"); string(raw) != "text" || err != nil {
		t.Errorf("%s, %v", raw, err)
	}
	for name, url := range map[string]string{"not found": secure.URL + "/gone", "too much": secure.URL + "/large", "in clear": plain.URL + "/good", "no server": "https://127.0.0.1:1/", "no URL": ":"} {
		if _, err := download(t.Context(), secure.Client(), url); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := download(t.Context(), http.DefaultClient, secure.URL+"/good"); err == nil {
		t.Error("a server that proves nothing was believed")
	}
}

// A download without the known authorities leaves no file behind.
func TestNothingIsWrittenOfAWrongDownload(t *testing.T) {
	t.Parallel()
	raw := file(root(t, "Amazon RDS af-south-1 Root CA RSA2048 G1", nil))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) }))
	t.Cleanup(server.Close)
	out := filepath.Join(t.TempDir(), "dist", "bundle.pem")
	if err := run(t.Context(), server.Client(), server.URL, out, now, io.Discard); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}
