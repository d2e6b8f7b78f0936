package network_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

func p(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// two is two peered VPCs with one subnet each; from lets out to and is let in
// by to on port 5432, with routes both ways.
func two() *network.Network {
	return &network.Network{
		VPCs: map[string]network.VPC{"v1": {ID: "v1", CIDR: p("10.1.0.0/16")}, "v2": {ID: "v2", CIDR: p("10.2.0.0/16")}},
		Subnets: map[string]network.Subnet{
			"s1": {ID: "s1", VPC: "v1", CIDR: p("10.1.1.0/24"), Table: "t1"}, "s2": {ID: "s2", VPC: "v2", CIDR: p("10.2.1.0/24"), Table: "t2"},
		},
		Tables: map[string][]network.Route{
			"t1": {{Destination: p("10.2.1.0/24"), Way: network.ToPeering, By: "pcx"}}, "t2": {{Destination: p("10.1.1.0/24"), Way: network.ToPeering, By: "pcx"}},
		},
		Peerings: map[string]network.Peering{"pcx": {ID: "pcx", VPC: [2]string{"v1", "v2"}}},
		Groups: map[string]network.Group{
			"g1": {ID: "g1", VPC: "v1", Egress: []network.Rule{{Protocol: "tcp", From: 5432, To: 5432, CIDR: p("10.2.1.0/24")}}},
			"g2": {ID: "g2", VPC: "v2", Ingress: []network.Rule{{Protocol: "tcp", From: 5432, To: 5432, Group: "g1"}}},
		},
		Members: map[string]network.Member{
			"from": {Name: "from", Subnets: []string{"s1"}, Groups: []string{"g1"}}, "to": {Name: "to", Subnets: []string{"s2"}, Groups: []string{"g2"}},
		},
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		port   int
		change func(*network.Network)
		open   bool
	}{
		{"as it is", 5432, func(*network.Network) {}, true},
		{"another port", 5433, func(*network.Network) {}, false},
		{"no rule out", 5432, func(n *network.Network) { n.Groups["g1"] = network.Group{ID: "g1", VPC: "v1"} }, false},
		{"no rule in", 5432, func(n *network.Network) { n.Groups["g2"] = network.Group{ID: "g2", VPC: "v2"} }, false},
		{"UDP", 5432, func(n *network.Network) { n.Groups["g1"].Egress[0].Protocol = "udp" }, false},
		{"all protocols", 5432, func(n *network.Network) {
			n.Groups["g1"].Egress[0] = network.Rule{Protocol: "-1", CIDR: p("0.0.0.0/0")}
		}, true},
		{"out to elsewhere", 5432, func(n *network.Network) { n.Groups["g1"].Egress[0].CIDR = p("10.2.2.0/24") }, false},
		{"out to a part", 5432, func(n *network.Network) { n.Groups["g1"].Egress[0].CIDR = p("10.2.1.9/32") }, true},
		{"another group let in", 5432, func(n *network.Network) { n.Groups["g2"].Ingress[0].Group = "g3" }, false},
		{"a peer nobody knows", 5432, func(n *network.Network) { n.Groups["g2"].Ingress[0] = network.Rule{Protocol: "-1", Unknown: "pl-1"} }, true},
		{"no route", 5432, func(n *network.Network) { n.Tables["t1"] = nil }, false},
		{"no route back", 5432, func(n *network.Network) { n.Tables["t2"] = nil }, false},
		{"no route table", 5432, func(n *network.Network) {
			s := n.Subnets["s1"]
			s.Table = ""
			n.Subnets["s1"] = s
		}, false},
		{"no peering", 5432, func(n *network.Network) { delete(n.Peerings, "pcx") }, false},
		{"a peering with another VPC", 5432, func(n *network.Network) { n.Peerings["pcx"] = network.Peering{ID: "pcx", VPC: [2]string{"v1", "v3"}} }, false},
		{"a peering the other way round", 5432, func(n *network.Network) { n.Peerings["pcx"] = network.Peering{ID: "pcx", VPC: [2]string{"v2", "v1"}} }, true},
		{"a route to a part", 5432, func(n *network.Network) { n.Tables["t1"][0].Destination = p("10.2.1.0/25") }, true},
		{"a narrower route to a NAT gateway", 5432, func(n *network.Network) {
			n.Tables["t1"] = append([]network.Route{{Destination: p("10.2.1.0/24"), Way: network.ToNAT}}, network.Route{Destination: p("10.2.0.0/16"), Way: network.ToPeering, By: "pcx"})
		}, false},
		{"a wider route to a NAT gateway", 5432, func(n *network.Network) {
			n.Tables["t1"] = append(n.Tables["t1"], network.Route{Destination: p("0.0.0.0/0"), Way: network.ToNAT})
		}, true},
		{"a route nobody knows", 5432, func(n *network.Network) {
			n.Tables["t1"][0] = network.Route{Destination: p("0.0.0.0/0"), Way: network.ToOther}
		}, true},
		{"from outside", 5432, func(n *network.Network) { n.Members["from"] = network.Member{Name: "from"} }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			n := two()
			row.change(n)
			v := n.Open(n.Members["from"], n.Members["to"], row.port)
			part := strings.HasSuffix(row.name, "a part") // then some addresses reach, and not all
			if v.Some != row.open || v.Every != (row.open && !part) || (v.Why == "") != v.Every {
				t.Errorf("%+v, want %v", v, row.open)
			}
		})
	}
}

// Every asks for all subnets, Some for one.
func TestOpenFromSomeSubnets(t *testing.T) {
	t.Parallel()
	n := two()
	n.Subnets["s3"] = network.Subnet{ID: "s3", VPC: "v1", CIDR: p("10.1.2.0/24"), Table: "t1"} // no way back
	m := n.Members["from"]
	m.Subnets = append(m.Subnets, "s3")
	if v := n.Open(m, n.Members["to"], 5432); v.Every || !v.Some {
		t.Errorf("%+v", v)
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	nat := network.Route{Destination: p("0.0.0.0/0"), Way: network.ToNAT, By: "nat"}
	for _, row := range []struct {
		name   string
		routes []network.Route
		rule   network.Rule
		want   int
	}{
		{"neither", nil, network.Rule{Protocol: "tcp", From: 5432, To: 5432, CIDR: p("10.2.1.0/24")}, 0},
		{"a rule alone", nil, network.Rule{Protocol: "-1", CIDR: p("0.0.0.0/0")}, 0},
		{"a route alone", []network.Route{nat}, network.Rule{Protocol: "tcp", CIDR: p("10.2.1.0/24")}, 0},
		{"both", []network.Route{nat}, network.Rule{Protocol: "udp", From: 53, To: 53, CIDR: p("0.0.0.0/0")}, 1},
		{"to one address", []network.Route{nat}, network.Rule{Protocol: "tcp", CIDR: p("203.0.113.9/32")}, 1},
		{"to more than the VPC", []network.Route{nat}, network.Rule{Protocol: "tcp", CIDR: p("10.0.0.0/8")}, 1},
		{"to nobody", []network.Route{nat}, network.Rule{Protocol: "icmp", CIDR: p("255.255.255.255/32")}, 0},
		{"by an internet gateway", []network.Route{{Destination: p("0.0.0.0/1"), Way: network.ToInternet}}, network.Rule{Protocol: "-1", CIDR: p("0.0.0.0/0")}, 1},
		{"beside the route", []network.Route{{Destination: p("128.0.0.0/1"), Way: network.ToNAT}}, network.Rule{Protocol: "-1", CIDR: p("8.8.8.8/32")}, 0},
		{"over the peering", []network.Route{{Destination: p("0.0.0.0/0"), Way: network.ToPeering, By: "pcx"}}, network.Rule{Protocol: "-1", CIDR: p("0.0.0.0/0")}, 0},
		{"to a group", []network.Route{nat}, network.Rule{Protocol: "-1", Group: "g2"}, 0},
		{"to who knows whom", []network.Route{nat}, network.Rule{Protocol: "-1", Unknown: "pl-1"}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			n := two()
			n.Tables["t1"] = row.routes
			n.Groups["g1"] = network.Group{ID: "g1", VPC: "v1", Egress: []network.Rule{row.rule}}
			if got := n.Exits(n.Members["from"]); len(got) != row.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	n := two()
	if got := n.Overlaps(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	n.VPCs["v2"] = network.VPC{ID: "v2", CIDR: p("10.1.0.0/24")}
	n.Subnets["s3"] = network.Subnet{ID: "s3", VPC: "v1", CIDR: p("10.1.1.128/25")}
	if got := n.Overlaps(); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestServicesAndStrangers(t *testing.T) {
	t.Parallel()
	n := two()
	n.Endpoints = []network.Endpoint{{ID: "vpce", Service: "com.amazonaws.ap-northeast-2.secretsmanager", VPC: "v1", Subnets: []string{"s1"}, Groups: []string{"ge"}}}
	n.Groups["ge"] = network.Group{ID: "ge", VPC: "v1", Ingress: []network.Rule{{Protocol: "tcp", From: 443, To: 443, CIDR: p("10.1.0.0/16")}}}
	if got := n.Services(n.Members["from"]); len(got) != 0 {
		t.Errorf("%v without a rule", got)
	}
	stranger, with := n.Stranger("s1")
	if got := with.Services(stranger); len(got) != 1 || got[0] != "secretsmanager" {
		t.Errorf("%v", got)
	}
	if with.Open(stranger, n.Members["to"], 5432).Some {
		t.Error("a stranger has the group of another one")
	}
	if _, changed := n.Groups["sg-stranger-s1"]; changed {
		t.Error("the network was changed")
	}
}
