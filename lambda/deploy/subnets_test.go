package deploy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// The variants have a database in two subnets, each with a route table of its
// own. It may be in one or three: each needs its ways there and back, and every
// function a rule for it.
func TestEverySubnetOfTheDatabaseIsReached(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	letters := []string{"A", "B", "C"}
	for n := 1; n <= len(letters); n++ {
		for _, topology := range []string{"split", "nat"} {
			parameters := maps.Clone(f.Common)
			parameters["Topology"] = topology
			var subnets, back []string
			for i, letter := range letters {
				parameters["DatabaseSubnetCidr"+letter], parameters["DatabaseRouteTableId"+letter] = "", ""
				if i < n {
					subnet, table := fmt.Sprintf("10.20.%d.0/24", 10+i), "rtb-"+letter
					parameters["DatabaseSubnetCidr"+letter], parameters["DatabaseRouteTableId"+letter] = subnet, table
					subnets, back = append(subnets, subnet), append(back, table)
				}
			}
			main, err := template.Evaluate(set, "main", parameters, template.Where{Account: f.Account, Region: f.Region})
			if err != nil {
				t.Fatal(err)
			}
			there, ways := routes(main, back)
			for _, private := range []string{"main-Network-PrivateRoutesA", "main-Network-PrivateRoutesB"} {
				if !slices.Equal(there[private], subnets) {
					t.Errorf("%s, %d subnets: %s leads to %v, not %v", topology, n, private, there[private], subnets)
				}
			}
			for _, table := range back {
				if len(ways[table]) != 2 || ways[table][0] == ways[table][1] {
					t.Errorf("%s, %d subnets: from %s it goes back to %v", topology, n, table, ways[table])
				}
			}
			for _, g := range main.Of("AWS::EC2::SecurityGroup") {
				if got := letOut(g); !slices.Equal(got, subnets) {
					t.Errorf("%s, %d subnets: %s lets out to %v, not %v", topology, n, g.LogicalID, got, subnets)
				}
			}
		}
	}
}

// routes are where the route tables lead over the peering, by table: those of
// the functions, and those of the database.
func routes(main *template.Stack, database []string) (there, back map[string][]string) {
	there, back = map[string][]string{}, map[string][]string{}
	for _, r := range main.Of("AWS::EC2::Route") {
		if r.Properties["VpcPeeringConnectionId"] == nil {
			continue
		}
		table := fmt.Sprint(r.Properties["RouteTableId"])
		side := there
		if slices.Contains(database, table) {
			side = back
		}
		side[table] = append(side[table], fmt.Sprint(r.Properties["DestinationCidrBlock"]))
		slices.Sort(side[table])
	}
	return there, back
}

// letOut are the networks that a function's security group lets out to, but for
// the internet.
func letOut(g *template.Resource) (networks []string) {
	rules, _ := g.Properties["SecurityGroupEgress"].([]any)
	for _, rule := range rules {
		if cidr := fmt.Sprint(rule.(template.Object)["CidrIp"]); strings.HasPrefix(cidr, "10.") {
			networks = append(networks, cidr)
		}
	}
	slices.Sort(networks)
	return networks
}
