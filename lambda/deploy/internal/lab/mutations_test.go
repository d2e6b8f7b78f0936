package lab_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// mistakes are made in the templates.
var mistakes = []struct {
	name   string
	change func(template.Set)
	rows   []row
	// cuts: sso-dbsync in its first subnet has lost the database.
	cuts bool
}{
	{"no route over the peering", remove("network", "RouteAToDatabaseA"), []row{
		{"dbsync in PrivateSubnetA", "database in subnet-database-a", 5432, false},
		{"dbsync in PrivateSubnetA", "database in subnet-database-b", 5432, true},
		{"dbsync in PrivateSubnetB", "database", 5432, true},
	}, true},
	{"no route back", remove("database", "RoutesAToFunctionsA"), []row{
		{"dbsync in PrivateSubnetA", "database in subnet-database-a", 5432, false},
		{"dbsync in PrivateSubnetB", "database", 5432, true},
	}, true},
	{"the database does not let sso-dbsync in", remove("database", "FromSignUp"), []row{
		{"dbsync", "database", 5432, false}, {"signins", "database", 5432, true},
	}, true},
	{"sso-dbsync is not let out", egress("DbsyncSecurityGroup", template.Object{"IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433, "CidrIp": "10.20.10.0/24"}), []row{
		{"dbsync", "database", 5432, false}, {"dbsync", "database", 5433, false}, {"signins", "database", 5432, true},
	}, true},
	{"a route table without a subnet", remove("network", "PrivateSubnetARoutes"), []row{
		{"dbsync in PrivateSubnetA", "database", 5432, false}, {"dbsync in PrivateSubnetB", "database", 5432, true},
	}, true},
	{"the database lets everybody in", add("database", "Wide", "AWS::EC2::SecurityGroupIngress", template.Object{"GroupId": "sg-database", "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}), []row{
		{"a stranger in PrivateSubnetA", "database", 5432, true}, {"an app beside the database", "database", 22, true}, {"dbsync", "database", 5433, false},
	}, false},
	{"sso-dbsync lets a neighbour in", add("database", "Wide", "AWS::EC2::SecurityGroupIngress", template.Object{"GroupId": "main-Network-DbsyncSecurityGroup", "IpProtocol": "tcp", "FromPort": 9001, "ToPort": 9001, "CidrIp": "10.90.0.0/24"}), []row{
		{"a stranger in PrivateSubnetA", "dbsync", 9001, true}, {"a stranger in PrivateSubnetA", "dbsync", 443, false}, {lab.Attacker, "dbsync", 9001, false},
	}, false},
	{"ways to the apps, and back", both(
		add("database", "There", "AWS::EC2::Route", template.Object{"RouteTableId": "main-Network-PrivateRoutesA", "DestinationCidrBlock": "10.20.1.0/24", "VpcPeeringConnectionId": "main-Network-Peering"}),
		add("database", "Back", "AWS::EC2::Route", template.Object{"RouteTableId": "rtb-apps", "DestinationCidrBlock": "10.90.0.0/24", "VpcPeeringConnectionId": "main-Network-Peering"}),
	), []row{
		{"a stranger in PrivateSubnetA", "a stranger in subnet-apps", 443, true}, {"a stranger in PrivateSubnetB", "a stranger in subnet-apps", 443, false},
		{"dbsync", "a stranger in subnet-apps", 443, false},
	}, false},
	{"a way to the internet", add("database", "Out", "AWS::EC2::Route", template.Object{"RouteTableId": "main-Network-PrivateRoutesA", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-new"}), []row{
		{"a stranger in PrivateSubnetA", lab.Internet, 443, true}, {"dbsync", lab.Internet, 443, false}, {lab.Attacker, "dbsync", 443, false},
	}, false},
}

func remove(name, resource string) func(template.Set) {
	return func(set template.Set) {
		resources, _ := set[name]["Resources"].(template.Object)
		if resources[resource] == nil {
			panic(fmt.Sprint("no ", name, "/", resource))
		}
		delete(resources, resource)
	}
}

func add(name, resource, kind string, properties template.Object) func(template.Set) {
	return func(set template.Set) {
		resources, _ := set[name]["Resources"].(template.Object)
		resources[resource] = template.Object{"Type": kind, "Properties": properties}
	}
}

func both(changes ...func(template.Set)) func(template.Set) {
	return func(set template.Set) {
		for _, change := range changes {
			change(set)
		}
	}
}

func egress(group string, rule template.Object) func(template.Set) {
	return func(set template.Set) {
		resources, _ := set["network"]["Resources"].(template.Object)
		resource, _ := resources[group].(template.Object)
		properties, _ := resource["Properties"].(template.Object)
		if properties["SecurityGroupEgress"] == nil {
			panic("no " + group)
		}
		properties["SecurityGroupEgress"] = []any{rule}
	}
}

// A mistake shows in the kernel, as the model says, and where it cuts the way to
// the database in a sign-up, which fails and leaves nothing behind.
func TestMistakes(t *testing.T) {
	t.Parallel()
	needLab(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := build(t, deployment(t, "split-postgres", m.change))
			failed := make(chan struct{})
			if m.cuts {
				a, event := bring(t, w), read(t, "../../../testdata/postconfirmation_kakao.json")
				go func() {
					defer close(failed)
					a.wantFailure(t, event)
				}()
				defer func() { <-failed }() // also if the rest ends early
			} else {
				w.listen(t)
			}
			w.check(t, m.rows)
			compare(t, w)
		})
	}
}

// wantFailure: a sign-up fails, and nothing is left behind that says it did not.
func (a *alive) wantFailure(t *testing.T, event string) {
	if got, err := a.programs["trigger"].Invoke(t.Context(), json.RawMessage(event)); err != nil || got.FunctionError == "" {
		t.Errorf("sign-up: %s, %v\n%s", got.Payload, err, a.programs["trigger"].log)
	}
	var rows int
	messages, updates := a.aws.seen()
	if err := a.db.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&rows); err != nil || rows+len(messages)+len(updates) != 0 {
		t.Errorf("%d rows, messages %v, updates %v, %v", rows, messages, updates, err)
	}
}
