package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Verdict is whether a connection opens.
type Verdict struct {
	// Every: from every address of the one to every address of the other. Some:
	// from some to some.
	Every, Some bool
	// Why says what stops those that do not open.
	Why string
}

// Open says whether one member can open a connection to a port of another one.
func (n *Network) Open(from, to Member, port int) Verdict {
	v := Verdict{Every: true}
	if from.Outside() || to.Outside() {
		return Verdict{Why: "one is in no VPC, and nothing leads in"}
	}
	for _, a := range from.Subnets {
		for _, z := range to.Subnets {
			if why := n.stop(from, n.Subnets[a], to, n.Subnets[z], port, covers); why != "" {
				v.Every, v.Why = false, why
			}
			if n.stop(from, n.Subnets[a], to, n.Subnets[z], port, netip.Prefix.Overlaps) == "" {
				v.Some = true
			}
		}
	}
	return v
}

// fits says whether a rule's or a route's range is for a subnet: for all of it,
// by covers, or for some of it, by Overlaps.
type fits func(r, subnet netip.Prefix) bool

func covers(r, subnet netip.Prefix) bool {
	return r.Bits() <= subnet.Bits() && r.Contains(subnet.Addr())
}

// stop is what stops a connection, or "".
func (n *Network) stop(from Member, a Subnet, to Member, z Subnet, port int, fit fits) string {
	switch {
	case !n.lets(from.Groups, true, to, z, port, fit):
		return from.Name + "'s groups do not let it out"
	case !n.leads(a, z, fit):
		return "nothing leads from " + a.ID + " to " + z.ID
	case !n.lets(to.Groups, false, from, a, port, fit):
		return to.Name + "'s groups do not let it in"
	case !n.leads(z, a, fit):
		return "nothing leads back from " + z.ID + " to " + a.ID
	}
	return ""
}

// lets: a rule of the groups lets the connection through with the peer, which
// is in the subnet.
func (n *Network) lets(groups []string, out bool, peer Member, at Subnet, port int, fit fits) bool {
	for _, id := range groups {
		g := n.Groups[id]
		rules := g.Ingress
		if out {
			rules = g.Egress
		}
		for _, r := range rules {
			if r.allows(port) && n.matches(g, r, peer, at, fit) {
				return true
			}
		}
	}
	return false
}

func (n *Network) matches(g Group, r Rule, peer Member, at Subnet, fit fits) bool {
	switch {
	case r.Unknown != "":
		return true
	case r.Group != "":
		return slices.Contains(peer.Groups, r.Group) && n.near(g.VPC, n.Groups[r.Group].VPC)
	}
	return fit(r.CIDR, at.CIDR)
}

// near: a group may name one of the same VPC, or of a peered one.
func (n *Network) near(a, b string) bool {
	if a == b {
		return true
	}
	for _, p := range n.Peerings {
		if p.VPC == [2]string{a, b} || p.VPC == [2]string{b, a} {
			return true
		}
	}
	return false
}

// leads: packets from one subnet reach the other one.
func (n *Network) leads(a, z Subnet, fit fits) bool {
	if a.VPC == z.VPC {
		return true
	}
	for _, r := range n.Tables[a.Table] {
		if fit(r.Destination, z.CIDR) && n.ends(r, a.VPC, z.VPC) && !n.hidden(r, a.Table, z.CIDR) {
			return true
		}
	}
	return false
}

// ends: the route leads from the one VPC to the other one.
func (n *Network) ends(r Route, a, z string) bool {
	p, peered := n.Peerings[r.By]
	return r.Way == ToOther || r.Way == ToPeering && peered && (p.VPC == [2]string{a, z} || p.VPC == [2]string{z, a})
}

// hidden: a more specific route takes all of the subnet somewhere else.
func (n *Network) hidden(r Route, table string, subnet netip.Prefix) bool {
	return slices.ContainsFunc(n.Tables[table], func(other Route) bool {
		return other.Destination.Bits() > r.Destination.Bits() && covers(other.Destination, subnet)
	})
}

// Exit is a way from a member to the internet.
type Exit struct {
	Subnet string
	Route  Route
	Rule   Rule
}

// Exits are the ways by which a member in a VPC gets out of it and of its
// peers: a route that leads there and a rule that lets it, at least for some
// address. A member in no VPC is outside already, and has none.
func (n *Network) Exits(m Member) []Exit {
	var out []Exit
	for _, id := range m.Subnets {
		for _, route := range n.Tables[n.Subnets[id].Table] {
			if route.Way == ToPeering {
				continue // its other end is one of the VPCs
			}
			for _, rule := range n.egress(m) {
				if n.beyond(rule, route) {
					out = append(out, Exit{Subnet: id, Route: route, Rule: rule})
				}
			}
		}
	}
	return out
}

func (n *Network) egress(m Member) []Rule {
	var out []Rule
	for _, g := range m.Groups {
		out = append(out, n.Groups[g].Egress...)
	}
	return out
}

// beyond: the rule lets something out that the route carries, to an address
// that is in no VPC. 255.255.255.255/32 is nobody's.
func (n *Network) beyond(rule Rule, route Route) bool {
	if rule.Unknown != "" {
		return true
	}
	if rule.Group != "" || !rule.CIDR.Overlaps(route.Destination) || rule.CIDR == nobody {
		return false
	}
	narrow := rule.CIDR
	if route.Destination.Bits() > narrow.Bits() {
		narrow = route.Destination
	}
	for _, v := range n.VPCs {
		if v.CIDR.Bits() <= narrow.Bits() && v.CIDR.Contains(narrow.Addr()) {
			return false // all of it is inside
		}
	}
	return true
}

var nobody = netip.MustParsePrefix("255.255.255.255/32")

// Services are the endpoints that a member can open a connection to.
func (n *Network) Services(m Member) []string {
	var out []string
	for _, e := range n.Endpoints {
		if v := n.Open(m, Member{Name: e.ID, Subnets: e.Subnets, Groups: e.Groups}, 443); v.Some {
			out = append(out, e.Service[strings.LastIndex(e.Service, ".")+1:])
		}
	}
	return out
}

// Stranger is anything that somebody puts into a subnet: with a security group
// of the subnet's VPC that lets everything out.
func (n *Network) Stranger(subnet string) (Member, *Network) {
	with := *n
	with.Groups = maps.Clone(n.Groups)
	id := "sg-stranger-" + subnet
	with.Groups[id] = Group{ID: id, VPC: n.Subnets[subnet].VPC, Egress: []Rule{{Protocol: "-1", CIDR: everywhere, Resource: id}}}
	return Member{Name: "a stranger in " + subnet, Subnets: []string{subnet}, Groups: []string{id}}, &with
}

// PublicIngress are the rules of members that let an address in which is in no
// VPC.
func (n *Network) PublicIngress() []Rule {
	var out []Rule
	for _, id := range slices.Sorted(maps.Keys(n.Groups)) {
		for _, r := range n.Groups[id].Ingress {
			if n.beyond(r, Route{Destination: everywhere}) {
				out = append(out, r)
			}
		}
	}
	return out
}

// Overlaps are pairs of VPCs that are peered and share addresses, and of
// subnets of one VPC.
func (n *Network) Overlaps() []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(n.Peerings)) {
		p := n.Peerings[id]
		if a, b := n.VPCs[p.VPC[0]], n.VPCs[p.VPC[1]]; a.CIDR.Overlaps(b.CIDR) {
			out = append(out, fmt.Sprintf("%s %v and %s %v", a.ID, a.CIDR, b.ID, b.CIDR))
		}
	}
	ids := slices.Sorted(maps.Keys(n.Subnets))
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			if x, y := n.Subnets[a], n.Subnets[b]; x.VPC == y.VPC && x.CIDR.Overlaps(y.CIDR) {
				out = append(out, fmt.Sprintf("%s %v and %s %v", a, x.CIDR, b, y.CIDR))
			}
		}
	}
	return out
}
