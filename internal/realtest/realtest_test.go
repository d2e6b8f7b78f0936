package realtest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// recorder is a testing.TB that notes how Need ended.
type recorder struct {
	testing.TB
	ended, said string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.end("skip", format, args...) }

func (r *recorder) Fatalf(format string, args ...any) { r.end("fatal", format, args...) }

func (r *recorder) end(how, format string, args ...any) {
	r.ended, r.said = how, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func need(binaries ...string) (path string, r *recorder) {
	r = &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		path = realtest.Need(r, binaries...)
	}()
	<-done
	return path, r
}

func TestNeed(t *testing.T) {
	for _, row := range []struct {
		name, require string
		binaries      []string
		want          string
	}{
		{"found", "1", []string{"no-such-program", "go"}, ""},
		{"missing skips", "", []string{"no-such-program"}, "skip"},
		{"missing fails where required", "1", []string{"no-such-program"}, "fatal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv(realtest.Require, row.require)
			path, r := need(row.binaries...)
			if r.ended != row.want {
				t.Fatalf("ended with %q (%s), want %q", r.ended, r.said, row.want)
			}
			if row.want == "" && path == "" {
				t.Fatal("no path")
			}
			if row.want != "" && !strings.Contains(r.said, "no-such-program") {
				t.Fatalf("does not name the program: %s", r.said)
			}
		})
	}
}
