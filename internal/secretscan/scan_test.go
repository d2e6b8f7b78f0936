package secretscan

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const someToken = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

func TestForms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		found      bool
	}{
		{"token", "msg=refused token=" + someToken, true},
		{"unsigned token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", true},
		{"encrypted token", "eyJhbGciOiJSU0EtT0FFUCJ9.a1b2c3d4.e5f6.g7h8.i9j0", true},
		{"token in JSON", `{"err":"` + someToken + `"}`, true},
		{"email", "user hong@personal.example is unknown", true},
		{"email, encoded", "login_hint=hong%40personal.example", true},
		{"learnt", "redeemed 0f9e8d7c-6b5a-4938-2716-05f4e3d2c1b0 twice", true},
		{"learnt, at the end", "0f9e8d7c-6b5a-4938-2716-05f4e3d2c1b0", true},
		{"begins as one that was learnt", "0f9e8d7c-6b5a-4938-0000-000000000000", false},
		{"another UUID", "request 11111111-2222-3333-4444-555555555555", false},
		{"half a token", "eyJhbGciOiJSUzI1NiJ9", false},
		{"a module's version", "github.com/jackc/pgx/v5@v5.11.0/conn.go:12", false},
		{"a user at a host without a name", "root@127.0.0.1 and root@localhost", false},
		{"too short to be learnt", "state x", false},
		{"nothing", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var s Scanner
			s.Saw("a log", "harmless\n"+row.text+"\n") // before it is learnt
			s.Learn("a code", "0f9e8d7c-6b5a-4938-2716-05f4e3d2c1b0")
			s.Learn("a state", "x")
			found := s.Findings()
			if (len(found) > 0) != row.found {
				t.Fatalf("%v", found)
			}
			for _, f := range found {
				if text := f.String(); strings.Contains(text, "2716-05f4") || strings.Contains(text, "c2ln") || strings.Contains(text, "hong") || !strings.Contains(text, "a log") {
					t.Errorf("the finding is %s", text)
				}
			}
		})
	}
}

func TestTextThatIsNotKept(t *testing.T) {
	t.Parallel()
	var s Scanner
	s.Learn("a code", strings.Repeat("secret", 4))
	for range 40 {
		s.Saw("a log", strings.Repeat("harmless ", 60_000)+strings.Repeat("secret", 4))
	}
	if n := len(s.Findings()); n != maxFindings {
		t.Errorf("%d findings", n)
	}
	if s.size != 0 || s.kept != nil {
		t.Error("text is kept after it was searched")
	}
}

// What passes through Transport is learnt, and arrives unchanged.
func TestTransport(t *testing.T) {
	t.Parallel()
	name := func(kind string) string { return "transport-" + strings.ReplaceAll(kind, " ", "-") + "-0123456789" }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.PostForm.Get("code") != name("code") {
			t.Error("the body did not arrive")
		}
		http.SetCookie(w, &http.Cookie{Name: "any", Value: name("cookie")})
		w.Header().Set("Location", "/x?state="+name("state"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"refresh_token":%q,"error":%q}`, name("refresh"), name("error"))
	}))
	defer server.Close()
	form := url.Values{"code": {name("code")}, "code_verifier": {name("verifier")}, "grant_type": {name("grant")}}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"?nonce="+name("nonce"), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("client", name("secret"))
	resp, err := Transport(http.DefaultTransport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !bytes.Contains(body, []byte(name("refresh"))) {
		t.Errorf("%s %v", body, err)
	}
	process.mu.Lock()
	defer process.mu.Unlock()
	for _, kind := range []string{"code", "verifier", "cookie", "state", "refresh", "nonce", "secret"} {
		if !process.known[name(kind)] {
			t.Errorf("the %s was not learnt", kind)
		}
	}
	for _, kind := range []string{"grant", "error"} {
		if process.known[name(kind)] {
			t.Errorf("the %s is no secret", kind)
		}
	}
}

func TestOfTests(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"=== RUN   TestX/" + someToken:                 true,
		"\x16=== RUN   TestX/" + someToken:             true,
		"--- FAIL: TestX/" + someToken + " (0.00s)":    true,
		"    x_test.go:12: got " + someToken:           true,
		"        second line of it " + someToken:       true,
		"2026/11/22 INFO refused token=" + someToken:   false,
		`{"level":"INFO","token":"` + someToken + `"}`: false,
		someToken: false,
	} {
		if got := ofTests(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// runs is a run of tests that writes something.
type runs func()

func (f runs) Run() int { f(); return 0 }

// TestMainFinds runs this test binary again, as one whose tests write
// something, and looks at how it ends.
func TestMainFinds(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"nothing": 0, "harmless": 0, "test names": 0,
		"standard output": 1, "standard error": 1, "log": 1, "slog": 1, "kept log": 1, "email": 1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMainChild$") //nolint:gosec // this binary
			cmd.Env = append(os.Environ(), "SECRETSCAN_CHILD="+name)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != status || bytes.Contains(out, []byte("secretscan: found")) != (status == 1) {
				t.Errorf("exit status %d, want %d: %s", got, status, out)
			}
		})
	}
}

func TestMainChild(t *testing.T) { //nolint:paralleltest // alone in its process
	name := os.Getenv("SECRETSCAN_CHILD")
	if name == "" {
		t.Skip("part of TestMainFinds")
	}
	os.Exit(Main(runs(func() {
		switch name {
		case "harmless":
			slog.Info("refused", "reason", "expired")
		case "test names":
			fmt.Println("=== RUN   TestX/" + someToken)
		case "standard output":
			fmt.Println("got", someToken)
		case "standard error":
			fmt.Fprintln(os.Stderr, "got", someToken)
		case "log", "slog":
			slog.Info("got", "token", someToken)
		case "kept log":
			slog.New(slog.NewJSONHandler(Writer("a log"), nil)).Info("got", "token", someToken)
		case "email":
			fmt.Fprintln(os.Stderr, "no such user: hong@personal.example")
		}
	})))
}
