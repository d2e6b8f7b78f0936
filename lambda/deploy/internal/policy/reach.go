package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

// noCognitoEndpoint: a pool with a domain refuses whatever comes through one,
// and private DNS would send every call of the VPC there.
func noCognitoEndpoint(s *subject) []string {
	var say said
	for _, e := range s.net.Endpoints {
		if strings.Contains(e.Service, "cognito-idp") {
			say.f("%s is an endpoint of %s", e.ID, e.Service)
		}
	}
	return say
}

func noPublicIngress(s *subject) []string {
	var say said
	for _, r := range s.net.PublicIngress() {
		say.f("%s lets the internet in", r.Resource)
	}
	for _, n := range s.Of("AWS::EC2::Subnet") {
		if n.Properties["MapPublicIpOnLaunch"] == true {
			say.f("%s gives out public addresses", n.Path())
		}
	}
	for _, r := range s.Of("AWS::Lambda::Url") {
		say.f("%s is open to the internet", r.Path())
	}
	return say
}

func networksApart(s *subject) []string {
	var say said
	for _, o := range s.net.Overlaps() {
		say.f("%s share addresses", o)
	}
	return say
}

// toDatabase are the functions that have business with it.
func (s *subject) toDatabase() []string {
	if s.split() {
		return []string{"dbsync", "signins"}
	}
	return []string{"signins", "trigger"}
}

// reachDatabase: exactly those, from each of their subnets to each of the
// database's, and to its port only. Nobody else in the network of the functions
// and nobody of the neighbours.
func reachDatabase(s *subject) []string {
	var say said
	n, port := s.net, s.net.DatabasePort
	database := n.Members[network.Database]
	for _, name := range slices.Sorted(maps.Keys(n.Members)) {
		if name == network.Database {
			continue
		}
		v := n.Open(n.Members[name], database, port)
		switch business := slices.Contains(s.toDatabase(), name); {
		case business && !v.Every:
			say.f("%s cannot reach the database: %s", name, v.Why)
		case !business && v.Some:
			say.f("%s can reach the database", name)
		}
		for _, other := range []int{22, 443, 3389, port - 1, port + 1} {
			if n.Open(n.Members[name], database, other).Some {
				say.f("%s can reach port %d of the database", name, other)
			}
		}
	}
	for _, subnet := range slices.Sorted(maps.Keys(n.Subnets)) {
		stranger, with := n.Stranger(subnet)
		if with.Open(stranger, database, port).Some {
			say.f("%s can reach the database", stranger.Name)
		}
	}
	return append(say, s.missing()...)
}

func (s *subject) missing() []string {
	var say said
	for _, name := range s.toDatabase() {
		if m, ok := s.net.Members[name]; !ok || m.Outside() {
			say.f("%s is in no VPC", name)
		}
	}
	return say
}

// reachInternet: with split there is no way out of the private subnets for
// anybody, in a network of ours, and none for the functions in any. With nat
// sso-trigger has HTTPS, and sso-signins nothing.
func reachInternet(s *subject) []string {
	var say said
	n := s.net
	for _, f := range s.functions() {
		name := s.program(f)
		for _, e := range n.Exits(n.Members[name]) {
			https := e.Rule.Protocol == "tcp" && e.Rule.From == 443 && e.Rule.To == 443 && e.Route.Way == network.ToNAT
			if s.split() || name != "trigger" || !https {
				say.f("%s gets out of %s by %s, let by %s", name, e.Subnet, e.Route.By, e.Rule.Resource)
			}
		}
	}
	if !s.split() {
		say = append(say, s.triggerKeptIn()...)
	}
	if s.split() {
		say = append(say, s.strangersOut()...)
	}
	return say
}

// triggerKeptIn: sso-trigger must reach Cognito from wherever Lambda puts it.
func (s *subject) triggerKeptIn() []string {
	var say said
	m := s.net.Members["trigger"]
	for _, id := range m.Subnets {
		here := m
		here.Subnets = []string{id}
		if len(s.net.Exits(here)) == 0 {
			say.f("sso-trigger does not reach Cognito from %s", id)
		}
	}
	return say
}

func (s *subject) strangersOut() []string {
	var say said
	for _, id := range slices.Sorted(maps.Keys(s.net.Subnets)) {
		if !s.net.VPCs[s.net.Subnets[id].VPC].Made {
			continue
		}
		stranger, with := s.net.Stranger(id)
		for _, e := range with.Exits(stranger) {
			say.f("there is a way out of %s by %s", id, e.Route.By)
		}
	}
	return say
}

// reachServices: functions in the VPC reach Secrets Manager if the password is
// there, and no other service of AWS.
func reachServices(s *subject) []string {
	var say said
	for _, name := range s.toDatabase() {
		want := []string(nil)
		if s.Main().Parameters["DatabaseAuth"] == "secret" {
			want = []string{"secretsmanager"}
		}
		if got := s.net.Services(s.net.Members[name]); !slices.Equal(got, want) {
			say.f("%s reaches the endpoints %v, not %v", name, got, want)
		}
	}
	return say
}

// reachEachOther: no function opens a connection to another one, and nobody in
// the network to any of them.
func reachEachOther(s *subject) []string {
	var say said
	for _, to := range s.toDatabase() {
		for _, id := range slices.Sorted(maps.Keys(s.net.Subnets)) {
			stranger, with := s.net.Stranger(id)
			for _, port := range []int{22, 443, s.net.DatabasePort, 9001} {
				if with.Open(stranger, with.Members[to], port).Some {
					say.f("%s can reach port %d of %s", stranger.Name, port, to)
				}
			}
		}
		for from, m := range s.net.Members {
			for _, port := range []int{22, 443, s.net.DatabasePort, 9001} {
				if from != to && s.net.Open(m, s.net.Members[to], port).Some {
					say.f("%s can reach port %d of %s", from, port, to)
				}
			}
		}
	}
	return say
}

// rulesNarrow: each security group is as tight as if it stood alone. Without
// this a wide rule would go unseen as long as another one still holds.
func rulesNarrow(s *subject) []string {
	var say said
	n := s.net
	database := n.Members[network.Database]
	for _, id := range slices.Sorted(maps.Keys(n.Groups)) {
		g := n.Groups[id]
		for _, r := range g.Ingress {
			to := 443
			if slices.Contains(database.Groups, id) {
				to = n.DatabasePort
			}
			if r.Group == "" || !one(r, to) {
				say.f("%s lets in more than one function to port %d", r.Resource, to)
			}
		}
		if _, before := s.File.World.VPCs[g.VPC].Groups[id]; before {
			continue
		}
		for _, r := range g.Egress {
			if !s.narrowEgress(id, r) {
				say.f("%s lets out more than its function needs", r.Resource)
			}
		}
	}
	return say
}

// one: the rule is for TCP to this port.
func one(r network.Rule, port int) bool {
	return r.Protocol == "tcp" && r.From == port && r.To == port
}

func (s *subject) narrowEgress(group string, r network.Rule) bool {
	nobody := r.CIDR.String() == "255.255.255.255/32"
	cognito := !s.split() && slices.Contains(s.net.Members["trigger"].Groups, group) && one(r, 443) && r.CIDR.Bits() == 0
	endpoint := r.Group != "" && one(r, 443)
	return nobody || cognito || endpoint || one(r, s.net.DatabasePort) && s.isDatabaseSubnet(r.CIDR)
}

func (s *subject) isDatabaseSubnet(p netip.Prefix) bool {
	return slices.ContainsFunc(s.net.Members[network.Database].Subnets, func(id string) bool { return s.net.Subnets[id].CIDR == p })
}

// routesNarrow: over the peering goes what is for one subnet of the database,
// or back to one of the functions'.
func routesNarrow(s *subject) []string {
	var say said
	for _, r := range s.Of("AWS::EC2::Route") {
		if _, peering := r.Properties["VpcPeeringConnectionId"]; !peering {
			continue
		}
		p, err := netip.ParsePrefix(text(r.Properties["DestinationCidrBlock"]))
		if err != nil || !s.isDatabaseSubnet(p) && !s.isFunctionSubnet(p) {
			say.f("%s leads to %v, which is more than a subnet", r.Path(), r.Properties["DestinationCidrBlock"])
		}
	}
	return say
}

func (s *subject) isFunctionSubnet(p netip.Prefix) bool {
	for _, name := range s.toDatabase() {
		if slices.ContainsFunc(s.net.Members[name].Subnets, func(id string) bool { return s.net.Subnets[id].CIDR == p }) {
			return true
		}
	}
	return false
}
