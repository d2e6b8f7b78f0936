package main

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestZip(t *testing.T) {
	t.Parallel()
	files := []file{{programName, 0o755, []byte(strings.Repeat("program ", 1000))}, {bundleName, 0o644, []byte("certificates")}}
	var first, second bytes.Buffer
	for _, w := range []io.Writer{&first, &second} {
		if err := writeZip(w, files); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of the same files differ")
	}
	z, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(files) {
		t.Fatalf("%d files", len(z.File))
	}
	for i, want := range files {
		got := z.File[i]
		// Lambda starts nothing that is not executable.
		if got.Name != want.name || got.Mode() != want.mode || !got.Modified.Equal(epoch) {
			t.Errorf("%s %v %v", got.Name, got.Mode(), got.Modified)
		}
		r, err := got.Open()
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(r); err != nil || !bytes.Equal(content, want.content) {
			t.Errorf("%s: other content, %v", want.name, err)
		}
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got, err := readBundle(filepath.Join(dir, "none")); got != nil || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := readBundle(dir); err == nil {
		t.Error("a folder was read")
	}
	path := filepath.Join(dir, bundleName)
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readBundle(path); string(got) != "x" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNoSuchFunction(t *testing.T) {
	t.Parallel()
	if _, err := pack(t.Context(), t.TempDir(), "sso-nothing", "arm64", nil); err == nil {
		t.Error("built what is not there")
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(stopped, t.TempDir(), "", io.Discard); err == nil {
		t.Error("built although it was stopped")
	}
}
