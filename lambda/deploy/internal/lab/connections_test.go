package lab_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
)

// connections are written down here, and not worked out: they are what is
// promised. The model knows nothing of them.
var connections = map[string][]row{
	"split-postgres": {
		{"dbsync", "database", 5432, true},
		{"signins", "database", 5432, true},
		{"trigger", "database", 5432, false},
		{"a stranger in PrivateSubnetA", "database", 5432, false},
		{"a stranger in PrivateSubnetB", "database", 5432, false},
		{"an app beside the database", "database", 5432, false},
		{"a stranger in subnet-database-a", "database", 5432, false},
		{lab.Internet, "database", 5432, false},
		{lab.Attacker, "database", 5432, false},
		{"dbsync", "database", 22, false},
		{"dbsync", "database", 443, false},
		{"dbsync", "database", 5433, false},
		{"signins", "database", 5433, false},
		{"database", "dbsync", 5432, false},
		{"database", "dbsync", 9001, false},
		{"database", "signins", 443, false},
		{"dbsync", "signins", 443, false},
		{"trigger", "dbsync", 443, false},
		{"a stranger in PrivateSubnetA", "dbsync", 9001, false},
		{lab.Internet, "dbsync", 443, false},
		{lab.Attacker, "dbsync", 443, false},
		{lab.Attacker, "signins", 443, false},
		{"dbsync", lab.Internet, 443, false},
		{"signins", lab.Internet, 443, false},
		{"a stranger in PrivateSubnetA", lab.Internet, 443, false},
		{"dbsync", "an app beside the database", 443, false},
		{"dbsync", "a stranger in subnet-apps", 5432, false},
		{"a stranger in PrivateSubnetA", "a stranger in subnet-apps", 443, false},
		{"a stranger in PrivateSubnetA", "a stranger in subnet-given-a", 443, false},
		{"trigger", lab.AWS, 443, true},
		// That there is something to close: the ways that are there.
		{"a stranger in PrivateSubnetA", "a stranger in subnet-database-a", 443, true},
		{lab.Attacker, "a stranger in subnet-apps", 443, true},
	},
	"nat-postgres-plus": {
		{"trigger", "database", 5432, true},
		{"signins", "database", 5432, true},
		{"trigger", lab.AWS, 443, true},
		{"trigger", lab.AWS, 22, false},
		{"trigger", "database", 5433, false},
		{"trigger", "a stranger in subnet-apps", 443, false},
		{"signins", lab.Internet, 443, false},
		{lab.Internet, "trigger", 443, false},
		{lab.Attacker, "trigger", 443, false},
		{lab.Attacker, "signins", 443, false},
		{lab.Attacker, "database", 5432, false},
		{"database", "trigger", 443, false},
		{"a stranger in PrivateSubnetA", "database", 5432, false},
		{"a stranger in PublicSubnetA", "database", 5432, false},
		{"a stranger in PublicSubnetA", "a stranger in subnet-database-a", 443, false},
		{"a stranger in PrivateSubnetA", lab.Internet, 443, true},
		{"a stranger in PublicSubnetA", lab.Internet, 443, true},
	},
	"split-given-network": {
		{"dbsync", "database", 5432, true},
		{"signins", "database", 5432, true},
		{"dbsync", "database", 22, false},
		{"dbsync", lab.Internet, 443, false},
		{"signins", lab.Internet, 443, false},
		{"a stranger in subnet-given-a", "database", 5432, false},
		{lab.Attacker, "dbsync", 443, false},
		{lab.Attacker, "database", 5432, false},
		{"a stranger in subnet-given-a", lab.Internet, 443, true},
		{"a stranger in subnet-given-a", "a stranger in subnet-database-a", 443, true},
	},
}

// Each table is in the documentation as it was measured.
func TestConnections(t *testing.T) {
	t.Parallel()
	needLab(t)
	for variant, rows := range connections {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			w := build(t, deployment(t, variant, nil))
			w.listen(t)
			measured := markdown(t, w, rows)
			if page := read(t, "../../../../docs/network.md"); !t.Failed() && !strings.Contains(page, measured) {
				t.Errorf("docs/network.md does not have this table of %s:\n%s", variant, measured)
			}
		})
	}
}

func markdown(t *testing.T, w *world, rows []row) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("| From | To | Port | Expected | Measured |\n| --- | --- | ---: | --- | --- |\n")
	for i, got := range w.check(t, rows) {
		r := rows[i]
		fmt.Fprintf(&out, "| %s | %s | %d | %s | %s |\n", r.from, r.to, r.port, outcome(r.open), got)
	}
	return out.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
