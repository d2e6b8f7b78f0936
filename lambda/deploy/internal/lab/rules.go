package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

// rules are a VPC's security groups, at the router's end of each host's link,
// and its internet gateway. The network ACL is AWS's own, which lets everything
// through: the templates make none.
func (p *planner) rules(r *router) string {
	var chains, out, in strings.Builder
	for _, h := range r.hosts {
		if h.gateway {
			continue // a NAT gateway has no security group
		}
		fmt.Fprintf(&out, "%q : jump %s_out, ", h.port, h.port)
		fmt.Fprintf(&in, "%q : jump %s_in, ", h.port, h.port)
		fmt.Fprintf(&chains, "\tchain %s_out {\n%s\t\tdrop\n\t}\n", h.port, p.groups(h, true))
		fmt.Fprintf(&chains, "\tchain %s_in {\n%s\t\tdrop\n\t}\n", h.port, p.groups(h, false))
	}
	return fmt.Sprintf(`table ip vpc {
%s	chain groups {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
%s%s		accept
	}
%s}
`, chains.String(), jumps("iifname", out.String()), jumps("oifname", in.String()), translation(r))
}

func jumps(interfaces, elements string) string {
	if elements == "" {
		return ""
	}
	return "\t\t" + interfaces + " vmap { " + strings.TrimSuffix(elements, ", ") + " }\n"
}

// translation is the internet gateway's: one public address for one private.
func translation(r *router) string {
	if len(r.public) == 0 {
		return ""
	}
	var in, out strings.Builder
	for _, h := range r.public {
		fmt.Fprintf(&in, "\t\tiifname %q ip daddr %v dnat to %v\n", internetGateway, h.Public, h.Addr)
		fmt.Fprintf(&out, "\t\toifname %q ip saddr %v snat to %v\n", internetGateway, h.Addr, h.Public)
	}
	return "\tchain public_in {\n\t\ttype nat hook prerouting priority dstnat;\n" + in.String() +
		"\t}\n\tchain public_out {\n\t\ttype nat hook postrouting priority srcnat;\n" + out.String() + "\t}\n"
}

// groups are the rules of a host's security groups, one way.
func (p *planner) groups(h *Host, out bool) string {
	if h.stranger {
		return "\t\treturn\n"
	}
	var text strings.Builder
	for _, id := range h.Groups {
		g, ok := p.net.Groups[id]
		if !ok {
			p.fail("%s has the security group %q, which nobody makes", h.Member, id)
		}
		rules := g.Ingress
		if out {
			rules = g.Egress
		}
		for _, rule := range rules {
			text.WriteString(p.rule(g, rule, out))
		}
	}
	return text.String()
}

// rule is a line that lets a connection go on to the next check.
func (p *planner) rule(g network.Group, r network.Rule, out bool) string {
	peer, ok := p.peer(g, r, out)
	if !ok {
		return ""
	}
	protocol := ""
	switch r.Protocol {
	case "-1":
	case "tcp", "udp":
		protocol = fmt.Sprintf("%s dport %d-%d ", r.Protocol, r.From, r.To)
		if r.From == r.To {
			protocol = fmt.Sprintf("%s dport %d ", r.Protocol, r.From)
		}
	case "icmp": // of every type: the lab sends none
		protocol = "ip protocol icmp "
	default:
		p.fail("no way to build the protocol %q of %s", r.Protocol, r.Resource)
	}
	return "\t\t" + peer + protocol + "return\n"
}

// peer is with whom, and whether that is anybody at all. A rule that names a
// group is for the addresses of its hosts, and only of the same VPC or a peered
// one.
func (p *planner) peer(g network.Group, r network.Rule, out bool) (string, bool) {
	field := "ip saddr "
	if out {
		field = "ip daddr "
	}
	switch {
	case r.Unknown != "":
		p.fail("no way to build the rule of %s: %s", r.Resource, r.Unknown)
		return "", false
	case r.Group != "":
		addresses := p.hostsOf(g.VPC, r.Group)
		return field + "{ " + strings.Join(addresses, ", ") + " } ", len(addresses) > 0
	case r.CIDR.Bits() == 0:
		return "", true
	}
	return field + r.CIDR.String() + " ", true
}

func (p *planner) hostsOf(vpc, group string) []string {
	var out []string
	if other := p.net.Groups[group].VPC; other != vpc && !p.peered(vpc, other) {
		return nil
	}
	for _, h := range p.hosts {
		if slices.Contains(h.Groups, group) {
			out = append(out, h.Addr.String())
		}
	}
	return out
}

func (p *planner) peered(a, z string) bool {
	for _, peering := range p.net.Peerings {
		if peering.VPC == [2]string{a, z} || peering.VPC == [2]string{z, a} {
			return true
		}
	}
	return false
}

// natRules are a NAT gateway's: out for the VPC, under its own address; answers
// come back, and nothing else comes in.
func natRules(vpc netip.Prefix) string {
	return fmt.Sprintf(`table ip nat {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip saddr %v accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
	}
	chain out {
		type nat hook postrouting priority srcnat;
		oifname "eth0" masquerade
	}
}
`, vpc)
}
