// Package realtest finds the real programs that some tests drive, such as a
// browser, and runs the servers that they talk to: databases, a queue. A
// server listens on 127.0.0.1 only, and neither it nor its files outlive the
// test process, even one that is killed (on Linux).
package realtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Require is the environment variable that turns a missing program into a
// failure: CI sets it to 1, so that nothing is skipped there unseen.
const Require = "SSO_REQUIRE_REAL"

// Need returns the path of the first of the binaries that is on this machine.
// If there is none it skips the test and says why, or fails it where
// SSO_REQUIRE_REAL=1. Names are alternatives: "chromium", "google-chrome".
func Need(t testing.TB, binaries ...string) string {
	t.Helper()
	for _, name := range binaries {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "needs one of these programs, and none is in PATH: "+strings.Join(binaries, ", "))
	return ""
}

// missing ends the test: by skipping it, or as a failure where nothing may be
// missing.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Require) == "1" {
		t.Fatalf("%s (%s=1 makes this a failure)", why, Require)
	}
	t.Skipf("%s", why)
}
