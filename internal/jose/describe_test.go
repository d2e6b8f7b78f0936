package jose_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		entry   string
		want    jose.Info
		problem string // part of it; "" is a usable key
	}{
		"as Cognito's":   {entry(), jose.Info{KeyID: "k", Type: "RSA", Algorithm: "RS256", Use: "sig", Bits: 2048}, ""},
		"no alg, no use": {entry("alg", "", "use", ""), jose.Info{KeyID: "k", Type: "RSA", Bits: 2048}, ""},
		"for encryption": {entry("use", `"enc"`), jose.Info{KeyID: "k", Type: "RSA", Algorithm: "RS256", Use: "enc", Bits: 2048}, "use"},
		"small":          {entry("n", `"`+modulus(1024)+`"`), jose.Info{KeyID: "k", Type: "RSA", Algorithm: "RS256", Use: "sig", Bits: 1024}, "2048"},
		"elliptic":       {`{"kid":"e","kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, jose.Info{KeyID: "e", Type: "EC"}, "kty"},
		"kid no string":  {entry("kid", "1"), jose.Info{Type: "RSA", Algorithm: "RS256", Use: "sig", Bits: 2048}, "kid"},
		"kid twice":      {entry(`k\u0069d`, `"x"`), jose.Info{}, "JSON"},
		"no object":      {`7`, jose.Info{}, "JSON"},
	} {
		list, err := jose.Describe([]byte(set(row.entry)))
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %v, %v", name, list, err)
			continue
		}
		got := list[0]
		if (got.Problem == nil) != (row.problem == "") || got.Problem != nil && !strings.Contains(got.Problem.Error(), row.problem) {
			t.Errorf("%s: problem %v", name, got.Problem)
		}
		if got.Problem = nil; got != row.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Describe and ParseSet must never disagree about what is usable.
func TestDescribeIsWhatParseSetTakes(t *testing.T) {
	t.Parallel()
	other := `"` + modulus(2048) + `"`
	list, err := jose.Describe([]byte(set(entry("use", `"enc"`, "n", other), entry(), entry("n", other), entry("kid", `"l"`), `{}`)))
	if err != nil {
		t.Fatal(err)
	}
	for i, usable := range []bool{false, true, false, true, false} {
		if (list[i].Problem == nil) != usable {
			t.Errorf("entry %d: %v", i, list[i].Problem)
		}
	}
	if _, err := jose.Describe([]byte(`{"keys":{}}`)); !errors.Is(err, jose.ErrNotKeySet) {
		t.Errorf("no key set: %v", err)
	}
	if list, err := jose.Describe([]byte(`{"keys":[]}`)); err != nil || len(list) != 0 {
		t.Errorf("empty: %v, %v", list, err)
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(set(entry(), entry(), `{"kid":"x"}`)))
	f.Fuzz(func(t *testing.T, document []byte) {
		list, err := jose.Describe(document)
		usable := 0
		for _, i := range list {
			if i.Problem == nil {
				usable++
			}
		}
		s, parseErr := jose.ParseSet(document)
		if usable != s.Len() || (err != nil) != errors.Is(parseErr, jose.ErrNotKeySet) {
			t.Errorf("%d usable and %v; ParseSet has %d and %v", usable, err, s.Len(), parseErr)
		}
	})
}
