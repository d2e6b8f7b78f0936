package lab

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

// ErrPlan is a network that the lab cannot build: to leave something out would
// show a closed network where there is an open one.
var ErrPlan = errors.New("lab")

// plan is what to make: pure text until it is built.
type plan struct {
	nodes []*node
	links []link
	hosts []*Host
}

// node is a namespace to be.
type node struct {
	name     string
	forwards bool     // packets of others
	ip       []string // lines for ip -batch
	nft      string   // for nft -f
	space    *namespace
}

func (n *node) run(format string, args ...any) {
	n.ip = append(n.ip, fmt.Sprintf(format, args...))
}

// link is a pair of interfaces.
type link struct {
	a, b         *node
	aPort, bPort string
}

// router is a VPC's, or the internet's.
type router struct {
	*node
	vpc    network.VPC
	hosts  []*Host
	tables map[string]int
	public []*Host // with a public address
	links  int     // to other routers
	open   bool    // there is a link to the internet
}

// gateway is an address that every router has: the first hop of a host.
const gateway = "169.254.1.1"

type planner struct {
	plan
	cfg      Config
	net      *network.Network
	routers  map[string]*router // by VPC
	internet *router
	used     map[string]int       // addresses, by subnet
	nat      map[string]*Host     // by NAT gateway
	hops     map[[2]string]string // next hop and interface, by router and target
	publics  int
	errs     []error
}

func newPlan(cfg Config) (*plan, error) {
	p := &planner{
		cfg: cfg, net: cfg.Network, routers: map[string]*router{}, used: map[string]int{},
		nat: map[string]*Host{}, hops: map[[2]string]string{},
	}
	p.internet = p.router("the internet's router", network.VPC{})
	for _, id := range slices.Sorted(maps.Keys(p.net.VPCs)) {
		p.routers[id] = p.router("router of "+id, p.net.VPCs[id])
		p.routers[id].run("route add blackhole %v", p.net.VPCs[id].CIDR)
	}
	p.gateways()
	p.members()
	p.peerings()
	p.tables()
	p.outside()
	for _, r := range p.routers {
		r.nft = p.rules(r)
	}
	return &p.plan, errors.Join(p.errs...)
}

func (p *planner) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%w: "+format, append([]any{ErrPlan}, args...)...))
}

func (p *planner) node(name string) *node {
	n := &node{name: name}
	n.run("link set lo up")
	p.nodes = append(p.nodes, n)
	return n
}

// router drops in silence what it has no route for, as a VPC does.
func (p *planner) router(name string, vpc network.VPC) *router {
	r := &router{node: p.node(name), vpc: vpc, tables: map[string]int{}}
	r.forwards = true
	r.run("addr add %s/32 dev lo", gateway)
	r.run("rule add priority 34000 blackhole")
	return r
}

// --- hosts

// host puts one behind a router, with this address and nothing else.
func (p *planner) host(r *router, h *Host) *Host {
	h.node = p.node(h.Name())
	h.port = fmt.Sprint("h", len(p.hosts))
	p.links = append(p.links, link{r.node, h.node, h.port, "eth0"})
	r.run("link set %s up", h.port)
	r.run("route add %v/32 dev %s", h.Addr, h.port)
	h.run("addr add %v/32 dev eth0", h.Addr)
	h.run("link set eth0 up")
	h.run("route add default via %s dev eth0 onlink", gateway)
	r.hosts, p.hosts = append(r.hosts, h), append(p.hosts, h)
	return h
}

// inSubnet also gives it a public address where a route leads from the subnet
// to an internet gateway: whoever is there may have one.
func (p *planner) inSubnet(h *Host) *Host {
	s, ok := p.net.Subnets[h.Subnet]
	if !ok {
		p.fail("%s is in the subnet %q, which nobody makes", h.Member, h.Subnet)
		return h
	}
	r := p.routers[s.VPC]
	h.Addr = p.address(s)
	p.host(r, h)
	p.follow(r, h, s.Table)
	if slices.ContainsFunc(p.net.Tables[s.Table], func(r network.Route) bool { return r.Way == network.ToInternet }) {
		p.publish(r, h)
	}
	return h
}

// address skips the first four of a subnet, which AWS keeps.
func (p *planner) address(s network.Subnet) netip.Addr {
	a := s.CIDR.Addr()
	for range 4 + p.used[s.ID] {
		a = a.Next()
	}
	p.used[s.ID]++
	if !s.CIDR.Contains(a) {
		p.fail("%s is full", s.ID)
	}
	return a
}

// follow makes what comes from the host go by a route table, after the VPC's
// own addresses.
func (p *planner) follow(r *router, h *Host, table string) {
	if table == "" {
		return
	}
	if r.tables[table] == 0 {
		r.tables[table] = 1000 + len(r.tables)
	}
	r.run("rule add priority 33000 iif %s lookup %d", h.port, r.tables[table])
}

// publish gives a public address, which the internet gateway puts in the place
// of the private one.
func (p *planner) publish(r *router, h *Host) {
	p.publics++
	h.Public = netip.AddrFrom4([4]byte{203, 0, 113, byte(p.publics)}) //nolint:gosec // few
	r.public = append(r.public, h)
	p.toInternet(r)
	p.internet.run("route add %v/32 via %s", h.Public, p.hops[[2]string{p.internet.name, r.vpc.ID}])
}

// toInternet attaches an internet gateway to a VPC, once.
func (p *planner) toInternet(r *router) {
	if r.open {
		return
	}
	r.open = true
	p.join(r, p.internet, r.vpc.ID, internetGateway, internetGateway)
}

// join links two routers; each side's name for the other is for hops.
func (p *planner) join(a, b *router, aName, bName, aPort string) {
	n := len(p.links) // both ends have addresses of this link alone
	net := fmt.Sprintf("169.254.%d.%d", 2+n/64, n%64*4)
	prefix := netip.MustParseAddr(net)
	one := prefix.Next()
	two := one.Next()
	bPort := fmt.Sprint("l", b.links)
	b.links++
	p.links = append(p.links, link{a.node, b.node, aPort, bPort})
	a.run("addr add %v/30 dev %s", one, aPort)
	a.run("link set %s up", aPort)
	b.run("addr add %v/30 dev %s", two, bPort)
	b.run("link set %s up", bPort)
	p.hops[[2]string{a.name, bName}] = fmt.Sprintf("%v dev %s", two, aPort)
	p.hops[[2]string{b.name, aName}] = fmt.Sprintf("%v dev %s", one, bPort)
}

// members are those of the network, endpoints, and one in each subnet who lets
// everything in and out, by whom routes alone can be seen.
func (p *planner) members() {
	for _, name := range slices.Sorted(maps.Keys(p.net.Members)) {
		m := p.net.Members[name]
		for _, s := range m.Subnets {
			p.inSubnet(&Host{Member: name, Subnet: s, Groups: m.Groups})
		}
		if m.Outside() {
			p.host(p.internet, &Host{Member: name, Addr: p.onInternet()})
		}
	}
	for _, e := range p.net.Endpoints {
		for _, s := range e.Subnets {
			p.inSubnet(&Host{Member: e.ID, Subnet: s, Groups: e.Groups})
		}
	}
	for _, s := range slices.Sorted(maps.Keys(p.net.Subnets)) {
		p.inSubnet(&Host{Member: Stranger, Subnet: s, stranger: true})
	}
}

func (p *planner) onInternet() netip.Addr {
	p.publics++
	return netip.AddrFrom4([4]byte{198, 51, 100, byte(p.publics)}) //nolint:gosec // few
}

// outside is who is on the internet. One of them is told the ways to private
// addresses, which the internet does not know: more than AWS would let through.
func (p *planner) outside() {
	p.host(p.internet, &Host{Member: AWS, Addr: p.onInternet()})
	p.host(p.internet, &Host{Member: Internet, Addr: p.onInternet()})
	attacker := p.host(p.internet, &Host{Member: Attacker, Addr: p.onInternet()})
	p.internet.run("rule add priority 33000 iif %s lookup 1000", attacker.port)
	for _, id := range slices.Sorted(maps.Keys(p.routers)) {
		if r := p.routers[id]; r.open {
			p.internet.run("route add %v via %s table 1000", r.vpc.CIDR, p.hops[[2]string{p.internet.name, id}])
		}
	}
}

// gateways makes the NAT gateways. One whose subnet nobody says is somewhere in
// the VPC with a way to the internet.
func (p *planner) gateways() {
	for _, id := range slices.Sorted(maps.Keys(p.net.Subnets)) {
		s := p.net.Subnets[id]
		for _, route := range p.net.Tables[s.Table] {
			if route.Way == network.ToNAT && p.nat[route.By] == nil {
				p.nat[route.By] = p.gateway(route.By, s.VPC)
			}
		}
	}
}

func (p *planner) gateway(id, vpc string) *Host {
	h := &Host{Member: id, Subnet: p.cfg.NATGateways[id], gateway: true}
	r := p.routers[vpc]
	if h.Subnet != "" {
		p.inSubnet(h)
	} else {
		h.Addr = last(r.vpc.CIDR)
		p.host(r, h)
		p.follow(r, h, elsewhere)
		p.publish(r, h)
	}
	h.forwards = true
	h.nft = natRules(r.vpc.CIDR)
	return h
}

// elsewhere is the route table of NAT gateways whose subnet nobody says.
const elsewhere = "elsewhere"

// last is the last address before that of broadcasts.
func last(c netip.Prefix) netip.Addr {
	raw := c.Masked().Addr().As4()
	for bit := c.Bits(); bit < 31; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(raw)
}

// --- routes

func (p *planner) peerings() {
	for i, id := range slices.Sorted(maps.Keys(p.net.Peerings)) {
		a, z := p.routers[p.net.Peerings[id].VPC[0]], p.routers[p.net.Peerings[id].VPC[1]]
		if a == nil || z == nil {
			p.fail("the peering %s leads to a VPC that nobody makes", id)
			continue
		}
		p.join(a, z, id, id, fmt.Sprint("p", i))
	}
}

// tables writes the route tables. A route over a peering that is not there
// leads nowhere.
func (p *planner) tables() {
	for _, vpc := range slices.Sorted(maps.Keys(p.routers)) {
		r := p.routers[vpc]
		for _, table := range slices.Sorted(maps.Keys(r.tables)) {
			routes := p.net.Tables[table]
			if table == elsewhere {
				routes = []network.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Way: network.ToInternet, By: elsewhere}}
			}
			for _, route := range routes {
				p.route(r, table, route)
			}
		}
	}
}

func (p *planner) route(r *router, table string, route network.Route) {
	hop := ""
	switch route.Way {
	case network.ToPeering:
		hop = p.hops[[2]string{r.name, route.By}]
	case network.ToInternet:
		p.toInternet(r)
		hop = p.hops[[2]string{r.name, internetGateway}]
	case network.ToNAT:
		hop = fmt.Sprintf("%v dev %s onlink", p.nat[route.By].Addr, p.nat[route.By].port)
	case network.ToOther:
		p.fail("no way to build the route %s", route.By)
	}
	if hop == "" {
		r.run("route add blackhole %v table %d", route.Destination, r.tables[table])
		return
	}
	r.run("route add %v via %s table %d", route.Destination, hop, r.tables[table])
}

const internetGateway = "igw"
