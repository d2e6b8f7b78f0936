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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

const (
	module   = "github.com/ssu-itsupport/cognito-sso"
	trigger  = module + "/lambda/cmd/sso-trigger"
	dbsync   = module + "/lambda/cmd/sso-dbsync"
	signins  = module + "/lambda/cmd/sso-signins"
	hello    = module + "/benchmarks/sync/bare/hello"
	calls    = module + "/benchmarks/sync/bare/calls"
	blocking = module + "/benchmarks/sync/bare/blocking"
	rowwise  = module + "/benchmarks/sync/bare/rowwise"
)

// programs are built once for each process, where they are first needed.
var programs struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// removePrograms removes what build made.
func removePrograms() {
	programs.Lock()
	defer programs.Unlock()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
		programs.dir, programs.paths = "", nil
	}
}

// build makes the binary of a package as make lambdas does, for this machine.
func build(t testing.TB, pkg string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if path := programs.paths[pkg]; path != "" {
		return path
	}
	if programs.dir == "" {
		dir, err := os.MkdirTemp("", "sso-bench-programs")
		if err != nil {
			t.Fatal(err)
		}
		programs.dir, programs.paths = dir, map[string]string{}
	}
	path := filepath.Join(programs.dir, filepath.Base(pkg))
	if text, err := compile(t.Context(), pkg, path); err != nil {
		t.Fatalf("go build %s: %v: %s", pkg, err, text)
	}
	programs.paths[pkg] = path
	return path
}

func compile(ctx context.Context, pkg, path string) ([]byte, error) {
	// The functions are built where their own go.mod chooses the versions.
	dir := "."
	if !strings.HasPrefix(pkg, module+"/benchmarks/") {
		out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return out, err
		}
		dir = strings.TrimSpace(string(out))
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=")
	return cmd.CombinedOutput()
}

// sizes are those of a program and of the archive that make lambdas would make
// of it, in bytes, without the authorities of RDS.
func sizes(t testing.TB, path string) (program, archive int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	entry, err := z.Create("bootstrap")
	if err == nil {
		_, err = entry.Write(raw)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(raw), packed.Len()
}

// awsEnv is what Lambda puts into every environment.
var awsEnv = []string{"AWS_REGION=ap-northeast-2", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}

// start runs a function until the part ends.
func start(t testing.TB, pkg string, instances int, env ...string) *lambdaruntime.Runtime {
	t.Helper()
	r, err := lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{build(t, pkg)}, Env: append(append([]string{}, awsEnv...), env...),
		Instances: instances, Timeout: 20 * time.Second, InitTimeout: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}
