package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	programName = "bootstrap" // what provided.al2023 starts
	bundleName  = "global-bundle.pem"
)

// built is one archive and its sizes in bytes.
type built struct {
	path             string
	program, archive int64
}

func pack(ctx context.Context, out, function, machine string, bundle []byte) (built, error) {
	dir, err := os.MkdirTemp("", "lambdazip")
	if err != nil {
		return built{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, programName)
	if err := compile(ctx, function, machine, binary); err != nil {
		return built{}, err
	}
	program, err := os.ReadFile(binary) //nolint:gosec // just built
	if err != nil {
		return built{}, err
	}
	files := []file{{programName, 0o755, program}}
	if bundle != nil {
		files = append(files, file{bundleName, 0o644, bundle})
	}
	var archive bytes.Buffer
	if err := writeZip(&archive, files); err != nil {
		return built{}, err
	}
	path := filepath.Join(out, function+"-"+machine+".zip")
	err = os.WriteFile(path, archive.Bytes(), 0o644) //nolint:gosec // to be uploaded; nothing in it is secret
	return built{path, int64(len(program)), int64(archive.Len())}, err
}

// compile leaves out what AWS's old runtimes spoke (lambda.norpc), symbols,
// and whatever would differ from one machine to the next.
func compile(ctx context.Context, function, machine, binary string) error {
	//nolint:gosec // the names are our own
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./lambda/cmd/"+function)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+machine, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// file is one of an archive.
type file struct {
	name    string
	mode    os.FileMode
	content []byte
}

// epoch is the earliest time that a zip archive can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// writeZip writes an archive that depends on the files and on nothing else.
func writeZip(w io.Writer, files []file) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
		header.SetMode(f.mode)
		entry, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return z.Close()
}
