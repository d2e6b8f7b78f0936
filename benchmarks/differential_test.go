package main

import (
	_ "embed"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
)

// differences is the written list of what ours and aws-jwt-verify do not agree
// on, with the reasons.
//
//go:embed stricter.md
var differences string

// listed reads the list: which attempts ours alone refuses, and which it alone
// accepts.
func listed(t *testing.T) (refuses, accepts map[string]bool) {
	t.Helper()
	refuses, accepts = map[string]bool{}, map[string]bool{}
	into := map[string]map[string]bool{"# Ours refuses": refuses, "# Ours accepts": accepts}
	var list map[string]bool
	reason := false
	for line := range strings.Lines(differences) {
		line = strings.TrimSuffix(line, "\n")
		name, item := strings.CutPrefix(line, "- `")
		switch {
		case into[line] != nil:
			list = into[line]
		case strings.HasPrefix(line, "## "):
			reason = false
		case item && list != nil:
			name = strings.TrimSuffix(name, "`")
			if !reason {
				t.Errorf("stricter.md: no reason above %q", name)
			}
			if refuses[name] || accepts[name] {
				t.Errorf("stricter.md: %q twice", name)
			}
			list[name] = true
		case line != "":
			reason = true
		}
	}
	return refuses, accepts
}

// needNode starts aws-jwt-verify, or skips the test as realtest does.
func needNode(t *testing.T) *node {
	t.Helper()
	realtest.Need(t, "node")
	n, err := startNode(t.Context(), nil)
	if errors.Is(err, errNoNode) {
		if os.Getenv(realtest.Require) == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

// TestDifferential has aws-jwt-verify, AWS's own verifier, be the oracle.
func TestDifferential(t *testing.T) {
	t.Parallel()
	n := needNode(t)
	if err := n.create(keys().jwks(), ""); err != nil {
		t.Fatal(err)
	}
	if err := n.call("clock", map[string]any{"ms": clock.UnixMilli()}, nil); err != nil {
		t.Fatal(err)
	}
	server := newKeyServer(keys().jwks(), false)
	t.Cleanup(server.close)
	ours, err := openOurs(0)(t.Context(), setup{server: server, now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}

	type item struct {
		Use   string `json:"use"`
		Token string `json:"token"`
	}
	var items []item
	seen := map[string]bool{}
	all := attempts()
	for _, a := range all {
		if seen[a.name] {
			t.Errorf("two attempts are called %q", a.name)
		}
		seen[a.name] = true
		items = append(items, item{a.use, a.make()})
	}
	var theirs struct{ Outcomes []string }
	if err := n.call("outcomes", map[string]any{"items": items}, &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs.Outcomes) != len(all) {
		t.Fatalf("%d outcomes of %d attempts", len(theirs.Outcomes), len(all))
	}

	refuses, accepts := listed(t)
	count := map[string]int{}
	for i, a := range all {
		err := ours(t.Context(), a.use, items[i].Token)
		if again := ours(t.Context(), a.use, items[i].Token); (again == nil) != (err == nil) {
			t.Errorf("%s: ours says %v, and then %v", a.name, err, again)
		}
		switch by := theirs.Outcomes[i]; {
		case err == nil && by == "":
			count["accepted by both"]++
		case err != nil && by != "":
			count["refused by both"]++
		case err != nil:
			count["refused by ours alone"]++
			if !refuses[a.name] {
				t.Errorf("%s: ours refuses (%v), aws-jwt-verify accepts, and stricter.md does not say why", a.name, err)
			}
			delete(refuses, a.name)
		default:
			count["accepted by ours alone"]++
			if !accepts[a.name] {
				t.Errorf("%s: ours accepts what aws-jwt-verify refuses (%s)", a.name, by)
			}
			delete(accepts, a.name)
		}
	}
	for _, list := range []map[string]bool{refuses, accepts} {
		for name := range list {
			t.Errorf("stricter.md lists %q, which is no difference", name)
		}
	}
	// An oracle that says the same of everything proves nothing.
	if count["accepted by both"] < 50 || count["refused by both"] < 100 {
		t.Errorf("too few agreements: %v", count)
	}
	t.Logf("%d attempts against aws-jwt-verify %s on Node %s: %v", len(all), n.library, n.version, count)
}
