package lab_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

// small is a VPC with one subnet and one host.
func small() *network.Network {
	return &network.Network{
		VPCs:    map[string]network.VPC{"v": {ID: "v", CIDR: netip.MustParsePrefix("10.1.0.0/16")}},
		Subnets: map[string]network.Subnet{"s": {ID: "s", VPC: "v", CIDR: netip.MustParsePrefix("10.1.1.0/28"), Table: "t"}},
		Tables:  map[string][]network.Route{"t": nil},
		Groups:  map[string]network.Group{"g": {ID: "g", VPC: "v"}},
		Members: map[string]network.Member{"m": {Name: "m", Subnets: []string{"s"}, Groups: []string{"g"}}},
	}
}

// What the lab cannot build it refuses: without it a network would look closed
// that is not. No namespace is made for any of these.
func TestRefused(t *testing.T) {
	t.Parallel()
	ingress := func(r network.Rule) func(*network.Network) {
		return func(n *network.Network) {
			n.Groups["g"] = network.Group{ID: "g", VPC: "v", Ingress: []network.Rule{r}}
		}
	}
	for _, row := range []struct {
		name, says string
		change     func(*network.Network)
	}{
		{"a route to who knows where", "route tgw-1", func(n *network.Network) {
			n.Tables["t"] = []network.Route{{Destination: everywhere, Way: network.ToOther, By: "tgw-1"}}
		}},
		{"a rule for who knows whom", "pl-1", ingress(network.Rule{Protocol: "-1", Unknown: "pl-1"})},
		{"a protocol by number", `protocol "50"`, ingress(network.Rule{Protocol: "50", CIDR: everywhere})},
		{"a subnet nobody makes", `subnet "s9"`, func(n *network.Network) { n.Members["m"] = network.Member{Name: "m", Subnets: []string{"s9"}} }},
		{"a group nobody makes", `group "g9"`, func(n *network.Network) {
			n.Members["m"] = network.Member{Name: "m", Subnets: []string{"s"}, Groups: []string{"g9"}}
		}},
		{"a peering with a VPC nobody makes", "peering pcx", func(n *network.Network) {
			n.Peerings = map[string]network.Peering{"pcx": {ID: "pcx", VPC: [2]string{"v", "v9"}}}
		}},
		{"more hosts than addresses", "s is full", func(n *network.Network) {
			for range 13 {
				m := n.Members["m"]
				m.Subnets = append(m.Subnets, "s")
				n.Members["m"] = m
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			n := small()
			row.change(n)
			l, err := lab.New(t.Context(), lab.Config{Network: n})
			if !errors.Is(err, lab.ErrPlan) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error = %v", err)
			}
			if l != nil {
				t.Error("there is a lab")
			}
		})
	}
}
