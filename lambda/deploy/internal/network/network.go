package network

import "net/netip"

// Network is everything that matters to a connection. It is not changed once
// it is built.
type Network struct {
	VPCs      map[string]VPC
	Subnets   map[string]Subnet
	Tables    map[string][]Route // by route table
	Peerings  map[string]Peering
	Groups    map[string]Group
	Endpoints []Endpoint
	// Members are functions, the database and their neighbours, by name. The
	// functions are trigger, dbsync and signins; the database is Database.
	Members map[string]Member
	// DatabasePort is the port of the database.
	DatabasePort int
}

// Database is the name of the database among the members.
const Database = "database"

// VPC is a network of AWS.
type VPC struct {
	ID   string
	CIDR netip.Prefix
	// Made: by the templates.
	Made bool
}

// Subnet is a part of a VPC.
type Subnet struct {
	ID, VPC string
	CIDR    netip.Prefix
	// Table is its route table, or "" if nobody said: then nothing leads out.
	Table string
}

// Way is what a route leads to.
type Way string

// What a route leads to.
const (
	ToPeering  Way = "peering"
	ToNAT      Way = "nat"
	ToInternet Way = "internet"
	// ToOther is a target that this package does not know. It is taken for a way
	// to everywhere.
	ToOther Way = "other"
)

// Route leads to Destination. That of the VPC itself is in no table.
type Route struct {
	Destination netip.Prefix
	Way         Way
	// By is the peering, the NAT gateway or the internet gateway.
	By string
}

// Peering joins two VPCs.
type Peering struct {
	ID  string
	VPC [2]string
}

// Group is a security group.
type Group struct {
	ID, VPC         string
	Ingress, Egress []Rule
}

// Rule lets connections through. It names either a CIDR or a Group.
type Rule struct {
	// Protocol is tcp, udp, icmp or "-1", which is all.
	Protocol string
	// From and To are ports, of tcp and udp.
	From, To int
	CIDR     netip.Prefix // not valid if there is none
	Group    string
	// Unknown is a peer that this package does not know, such as a prefix list.
	// It is taken for everybody.
	Unknown string
	// Resource is where the rule is written.
	Resource string
}

// allows: a connection to the port by TCP.
func (r Rule) allows(port int) bool {
	return r.Protocol == "-1" || r.Protocol == "tcp" && r.From <= port && port <= r.To
}

// Endpoint is an interface endpoint of a service.
type Endpoint struct {
	ID, Service, VPC string
	Subnets, Groups  []string
}

// Member is somebody who opens connections, or to whom they are opened.
type Member struct {
	Name string
	// Subnets are where it is or may be: one address in each. None is outside of
	// every VPC, as a function without one is.
	Subnets, Groups []string
}

// Outside reports whether it is in no VPC.
func (m Member) Outside() bool { return len(m.Subnets) == 0 }
