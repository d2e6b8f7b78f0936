package variant_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

func TestReadRefusesUnknownKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "v.yaml")
	if err := os.WriteFile(path, []byte("acount: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := variant.Read(path); err == nil || !strings.Contains(err.Error(), "acount") {
		t.Errorf("error = %v", err)
	}
	if _, err := variant.Read(path + "-missing"); err == nil {
		t.Error("no error without a file")
	}
}

// The variants say every value that a parameter of the main stack may have, or
// the checks would not see half of it.
func TestVariantsTakeEveryWay(t *testing.T) {
	t.Parallel()
	f, err := variant.Read(filepath.Join("..", "..", "variants.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := template.Load(filepath.Join("..", "..", "templates"))
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		for p, v := range d.Main().Parameters {
			if s, ok := v.(string); ok {
				taken[p+"="+s] = true
			}
		}
	}
	for _, p := range []string{"Topology", "DatabaseEngine", "FeaturePlan", "DatabaseAuth", "Moved", "UserIdSource"} {
		parameters, _ := set["main"]["Parameters"].(template.Object)
		declared, _ := parameters[p].(template.Object)
		allowed, _ := declared["AllowedValues"].([]any)
		for _, v := range allowed {
			if s, _ := v.(string); !taken[p+"="+s] {
				t.Errorf("no variant has %s=%s", p, s)
			}
		}
	}
	for _, optional := range []string{"VpcId", "DatabaseAccountId", "DomainCertificateArn", "AlarmEmail", "DatabaseSecretKeyArn", "DatabaseSubnetCidrB"} {
		if some := countPrefix(taken, optional+"="); some == 0 || !taken[optional+"="] && some < 2 && optional != "DatabaseSubnetCidrB" {
			t.Errorf("%s is never both empty and not", optional)
		}
	}
	if _, err := f.Evaluate(set, "nobody"); err == nil {
		t.Error("a variant that nobody wrote")
	}
}

func countPrefix(m map[string]bool, prefix string) int {
	n := 0
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			n++
		}
	}
	return n
}
