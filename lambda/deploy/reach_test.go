package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/policy"
)

func TestReachability(t *testing.T) {
	t.Parallel()
	reachability(t, &counts{})
}

// reached is who reaches what, written down: the checks beside it say the same
// as rules, and one of the two would notice the other's mistake.
var reached = map[string]string{
	"split-postgres":      "dbsync→database:5432 signins→database:5432",
	"split-mysql-lite":    "dbsync→database:3306 signins→database:3306",
	"nat-postgres-plus":   "signins→database:5432 trigger→database:5432 trigger→internet:443",
	"nat-mysql-secret":    "signins→database:3307 signins→secretsmanager:443 trigger→database:3307 trigger→internet:443 trigger→secretsmanager:443",
	"split-other-account": "dbsync→database:5432 dbsync→secretsmanager:443 signins→database:5432 signins→secretsmanager:443",
	"split-given-network": "dbsync→database:5432 signins→database:5432",
	"nat-given-network":   "signins→database:5432 trigger→database:5432 trigger→internet:443",
}

func reachability(t *testing.T, c *counts) {
	f, set := load(t)
	c.reachability = "ok"
	for _, finding := range policy.Run(f, set, operations(t)) {
		if strings.HasPrefix(finding.Check, "reach-") {
			c.reachability = "wrong"
			c.wrong(t, "%s: %s: %s", finding.Variant, finding.Check, finding.Text)
		}
	}
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := network.Build(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := reaches(n); got != reached[name] {
			c.reachability = "wrong"
			c.wrong(t, "%s: %s\nwant %s", name, got, reached[name])
		}
	}
}

// reaches is every connection that opens from some member of the network, to
// any of many ports.
func reaches(n *network.Network) string {
	found := map[string]bool{}
	for from, m := range n.Members {
		for to, other := range n.Members {
			for _, port := range []int{22, 80, 443, 3306, 3307, 5432, 6379, 9001} {
				if from != to && n.Open(m, other, port).Some {
					found[fmt.Sprintf("%s→%s:%d", from, to, port)] = true
				}
			}
		}
		for _, e := range n.Exits(m) {
			if from != "an app beside the database" { // which has its own, and is not ours
				found[fmt.Sprintf("%s→internet:%d", from, e.Rule.From)] = true
			}
		}
		for _, s := range n.Services(m) {
			found[fmt.Sprintf("%s→%s:443", from, s)] = true
		}
	}
	var out []string
	for f := range found {
		out = append(out, f)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
