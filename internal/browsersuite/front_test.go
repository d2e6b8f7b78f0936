package browsersuite_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// front serves every host name of the suite over TLS on one port, which the
// browser is told to find all hosts at.
type front struct {
	addr string
	// pin is how the browser knows the key of the certificates.
	pin   string
	roots *x509.CertPool
	key   *ecdsa.PrivateKey
	ca    *x509.Certificate

	mu    sync.Mutex
	hosts map[string]http.Handler
	certs map[string]*tls.Certificate
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{roots: x509.NewCertPool(), hosts: map[string]http.Handler{}, certs: map[string]*tls.Certificate{}}
	var err error
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	raw, err := f.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: "test authority"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.ca, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	f.roots.AddCert(f.ca)
	sum := sha256.Sum256(f.ca.RawSubjectPublicKeyInfo)
	f.pin = base64.StdEncoding.EncodeToString(sum[:])

	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	server := &http.Server{
		Handler: f, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{GetCertificate: f.certificate},
	}
	go func() { _ = server.ServeTLS(l, "", "") }() // ends at Close
	t.Cleanup(func() { _ = server.Close() })
	return f
}

// sign makes a certificate of the one key, by the authority.
func (f *front) sign(c, by *x509.Certificate) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	if by == nil {
		by = c
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = serial, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	return x509.CreateCertificate(rand.Reader, c, by, f.key.Public(), f.key)
}

// certificate makes one for each host that is asked for.
func (f *front) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.certs[hello.ServerName]; ok {
		return c, nil
	}
	raw, err := f.sign(&x509.Certificate{DNSNames: []string{hello.ServerName}}, f.ca)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: f.key}
	f.certs[hello.ServerName] = c
	return c, nil
}

// add serves a host.
func (f *front) add(host string, h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[host] = h
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	h, ok := f.hosts[r.Host]
	f.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.ServeHTTP(w, r)
}

// transport is how apps reach the pool under its host name.
func (f *front) transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, f.addr)
		},
	}
}
