package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

// A newcomer has only docs/deploy.md: its commands for this machine are typed
// in as they stand there, in two terminals, and each has to end well.
func TestDeployDocOnThisMachine(t *testing.T) {
	t.Parallel()
	realtest.Need(t, "bash")
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := terminals(string(page))
	if len(first) != 1 || len(second) < 2 || !strings.Contains(strings.Join(second, ""), "ssoctl doctor") {
		t.Fatalf("the page has %d and %d blocks for two terminals", len(first), len(second))
	}
	leave := typeIn(t, first[0])
	out, err := terminal(t.Context(), strings.Join(second, "")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "Pool and table are in step.") {
		t.Errorf("it does not end as the page says:\n%s", out)
	}
	leave()
	if _, err := os.Stat(filepath.Join("..", "..", "dist", "local", "ssoctl.env")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the environment of what is over is left: %v", err)
	}
}

// block is a fenced block for one of two terminals.
var block = regexp.MustCompile("(?s)\n```sh terminal=([12])\n(.*?\n)```\n")

func terminals(page string) (first, second []string) {
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		if m[1] == "1" {
			first = append(first, m[2])
		} else {
			second = append(second, m[2])
		}
	}
	return first, second
}

// terminal is a shell in the folder of the clone, without what the test's own
// environment may have.
func terminal(ctx context.Context, commands string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = filepath.Join("..", "..")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SSO_") && !strings.HasPrefix(v, "AWS_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	return cmd
}

// typeIn types commands that go on until Ctrl-C, and waits until they say so.
// The function that it returns is that Ctrl-C.
func typeIn(t *testing.T, commands string) (leave func()) {
	t.Helper()
	cmd := terminal(t.Context(), commands)
	// go run passes no signal on: Ctrl-C is for all of the terminal's processes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	leave = func() {
		if ended {
			return
		}
		ended = true
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // go run says that it was interrupted
	}
	t.Cleanup(leave)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ctrl-C ends it") {
			return leave
		}
	}
	leave()
	t.Fatalf("it never got so far:\n%s", complaints.String())
	return nil
}

// The files are what they promise: an app starts with its own, by the readers
// of sso and middleware, and a folder of an odd name comes through a shell.
func TestEnvironmentFiles(t *testing.T) {
	t.Parallel()
	realtest.Need(t, "sh")
	cfg := freePorts(t)
	cfg.dir = filepath.Join(t.TempDir(), "it's odd $HOME")
	dir := t.TempDir()
	w := newWorld(t, cfg)
	if err := w.writeEnvironments(dir); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"board", "desk"} {
		env := sourced(t, filepath.Join(dir, key+".env"))
		verifying, err := sso.ConfigFromEnv(env)
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := sso.NewVerifier(verifying)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(verifier.Close)
		if err := verifier.Preload(t.Context()); err != nil {
			t.Errorf("%s: no keys: %v", key, err)
		}
		client, err := sso.ClientConfigFromEnv(env)
		if err != nil {
			t.Fatal(err)
		}
		client.Verifier = verifier
		c, err := sso.NewClient(client)
		if err != nil {
			t.Fatal(err)
		}
		login, err := middleware.LoginConfigFromEnv(env)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := middleware.NewLogin(c, login); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if info, err := os.Stat(filepath.Join(dir, key+".env")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others can read the secret: %v, %v", key, info.Mode(), err)
		}
	}
	tools := strings.Join(sourced(t, filepath.Join(dir, "ssoctl.env")), "\n")
	if !strings.Contains(tools, "SSO_SQLITE_PATH="+filepath.Join(cfg.dir, "users.db")) || strings.Contains(tools, "SECRET=") {
		t.Errorf("ssoctl's: %s", tools)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// sourced is what a shell makes of a file of variables.
func sourced(t *testing.T, path string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `set -a; . "$0"; env`, path) //nolint:gosec // our own file
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestEnvOption(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := parseOptions([]string{"-env", t.TempDir()}); err != nil || o.env == "" {
		t.Errorf("a folder: %q, %v", o.env, err)
	}
	for _, args := range [][]string{{"-env", ""}, {"-env", file}, {"-env", filepath.Join(file, "below")}, {"-check", "-env", t.TempDir()}} {
		if _, err := parseOptions(args); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
