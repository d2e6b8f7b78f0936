package network

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

// builder notes every mistake and goes on.
type builder struct {
	n    *Network
	errs []error
}

// Build makes the network of a deployment.
func Build(d *variant.Deployment) (*Network, error) {
	b := &builder{n: &Network{
		VPCs: map[string]VPC{}, Subnets: map[string]Subnet{}, Tables: map[string][]Route{},
		Peerings: map[string]Peering{}, Groups: map[string]Group{}, Members: map[string]Member{},
	}}
	b.world(d.File.World, d.Given)
	b.made(d)
	b.members(d)
	b.n.DatabasePort = b.number(d.Main().Nested["Network"].Parameters["DatabasePort"])
	return b.n, errors.Join(b.errs...)
}

// world adds what was there before.
func (b *builder) world(w variant.World, given bool) {
	for id, v := range w.VPCs {
		b.n.VPCs[id] = VPC{ID: id, CIDR: b.prefix(v.CIDR)}
		for s, subnet := range v.Subnets {
			b.n.Subnets[s] = Subnet{ID: s, VPC: id, CIDR: b.prefix(subnet.CIDR), Table: subnet.Routes}
		}
		for table, routes := range v.RouteTables {
			b.n.Tables[table] = b.routes(routes)
		}
		for g, group := range v.Groups {
			b.n.Groups[g] = Group{ID: g, VPC: id, Egress: b.egressOf(g, group)}
		}
	}
	if !given {
		return
	}
	for id, p := range w.Given.Peerings {
		b.n.Peerings[id] = Peering{ID: id, VPC: [2]string{p[0], p[1]}}
	}
	for table, routes := range w.Given.Routes {
		b.n.Tables[table] = append(b.n.Tables[table], b.routes(routes)...)
	}
}

func (b *builder) routes(routes []variant.Route) []Route {
	var out []Route
	for _, r := range routes {
		way := ToOther
		for prefix, known := range map[string]Way{"igw-": ToInternet, "nat-": ToNAT, "pcx-": ToPeering} {
			if strings.HasPrefix(r.By, prefix) {
				way = known
			}
		}
		out = append(out, Route{Destination: b.prefix(r.To), Way: way, By: r.By})
	}
	return out
}

func (b *builder) egressOf(id string, g variant.Group) []Rule {
	var out []Rule
	for _, r := range g.Egress {
		out = append(out, Rule{Protocol: "-1", CIDR: b.prefix(r.To), Resource: id})
	}
	return out
}

// made adds what the templates make.
func (b *builder) made(d *variant.Deployment) {
	for _, r := range d.Of("AWS::EC2::VPC") {
		b.n.VPCs[r.ID] = VPC{ID: r.ID, CIDR: b.prefix(r.Properties["CidrBlock"]), Made: true}
	}
	for _, r := range d.Of("AWS::EC2::Subnet") {
		b.n.Subnets[r.ID] = Subnet{ID: r.ID, VPC: text(r.Properties["VpcId"]), CIDR: b.prefix(r.Properties["CidrBlock"])}
	}
	for _, r := range d.Of("AWS::EC2::SubnetRouteTableAssociation") {
		s := b.n.Subnets[text(r.Properties["SubnetId"])]
		s.Table = text(r.Properties["RouteTableId"])
		b.n.Subnets[s.ID] = s
	}
	for _, r := range d.Of("AWS::EC2::VPCPeeringConnection") {
		b.n.Peerings[r.ID] = Peering{ID: r.ID, VPC: [2]string{text(r.Properties["VpcId"]), text(r.Properties["PeerVpcId"])}}
	}
	for _, r := range d.Of("AWS::EC2::Route") {
		table := text(r.Properties["RouteTableId"])
		b.n.Tables[table] = append(b.n.Tables[table], b.route(r))
	}
	b.groups(d)
	for _, r := range d.Of("AWS::EC2::VPCEndpoint") {
		b.n.Endpoints = append(b.n.Endpoints, Endpoint{
			ID: r.ID, Service: text(r.Properties["ServiceName"]), VPC: text(r.Properties["VpcId"]),
			Subnets: texts(r.Properties["SubnetIds"]), Groups: texts(r.Properties["SecurityGroupIds"]),
		})
	}
}

// everywhere is where a route or rule goes that this package cannot place.
var everywhere = netip.MustParsePrefix("0.0.0.0/0")

func (b *builder) route(r *template.Resource) Route {
	out := Route{Destination: everywhere, Way: ToOther, By: r.Path()}
	if v, ok := r.Properties["DestinationCidrBlock"]; ok {
		out.Destination = b.prefix(v)
	}
	for property, way := range map[string]Way{"VpcPeeringConnectionId": ToPeering, "NatGatewayId": ToNAT, "GatewayId": ToInternet} {
		if v, ok := r.Properties[property]; ok {
			out.Way, out.By = way, text(v)
		}
	}
	return out
}

func (b *builder) groups(d *variant.Deployment) {
	for _, r := range d.Of("AWS::EC2::SecurityGroup") {
		g := Group{ID: r.ID, VPC: text(r.Properties["VpcId"])}
		g.Ingress = b.rules(r, "SecurityGroupIngress", "Source")
		g.Egress = b.rules(r, "SecurityGroupEgress", "Destination")
		if len(g.Egress) == 0 { // AWS adds one that lets everything out
			g.Egress = []Rule{{Protocol: "-1", CIDR: everywhere, Resource: r.Path()}}
		}
		b.n.Groups[g.ID] = g
	}
	for _, r := range d.Of("AWS::EC2::SecurityGroupIngress") {
		g := b.n.Groups[text(r.Properties["GroupId"])]
		g.Ingress = append(g.Ingress, b.rule(r.Path(), r.Properties, "Source"))
		b.n.Groups[g.ID] = g
	}
	for _, r := range d.Of("AWS::EC2::SecurityGroupEgress") {
		g := b.n.Groups[text(r.Properties["GroupId"])]
		g.Egress = append(g.Egress, b.rule(r.Path(), r.Properties, "Destination"))
		b.n.Groups[g.ID] = g
	}
}

func (b *builder) rules(r *template.Resource, property, side string) []Rule {
	list, _ := r.Properties[property].([]any)
	var out []Rule
	for _, item := range list {
		o, _ := item.(template.Object)
		out = append(out, b.rule(r.Path(), o, side))
	}
	return out
}

func (b *builder) rule(path string, o template.Object, side string) Rule {
	r := Rule{Protocol: text(o["IpProtocol"]), Resource: path, Group: text(o[side+"SecurityGroupId"])}
	if r.Protocol != "-1" {
		r.From, r.To = b.number(o["FromPort"]), b.number(o["ToPort"])
	}
	switch cidr, ok := o["CidrIp"]; {
	case ok:
		r.CIDR = b.prefix(cidr)
	case r.Group == "":
		r.Unknown = fmt.Sprint(slices.Sorted(maps.Keys(o)))
	}
	return r
}

// members are the functions, and those who were there.
func (b *builder) members(d *variant.Deployment) {
	w := d.File.World
	b.member(Database, w.Database.Subnets, w.Database.Groups)
	for name, m := range w.Members {
		b.member(name, m.Subnets, m.Groups)
	}
	for _, r := range d.Of("AWS::Lambda::Function") {
		vpc, _ := r.Properties["VpcConfig"].(template.Object)
		b.member(strings.ToLower(r.LogicalID), texts(vpc["SubnetIds"]), texts(vpc["SecurityGroupIds"]))
	}
}

func (b *builder) member(name string, subnets, groups []string) {
	for _, s := range subnets {
		if _, ok := b.n.Subnets[s]; !ok {
			b.errs = append(b.errs, fmt.Errorf("%s is in the subnet %s, which nobody makes", name, s))
		}
	}
	for _, g := range groups {
		if _, ok := b.n.Groups[g]; !ok {
			b.errs = append(b.errs, fmt.Errorf("%s has the security group %s, which nobody makes", name, g))
		}
	}
	b.n.Members[name] = Member{Name: name, Subnets: subnets, Groups: groups}
}

func (b *builder) prefix(v any) netip.Prefix {
	p, err := netip.ParsePrefix(text(v))
	if err != nil {
		b.errs = append(b.errs, err)
		return everywhere
	}
	return p.Masked()
}

func (b *builder) number(v any) int {
	n, err := strconv.Atoi(text(v))
	if err != nil {
		b.errs = append(b.errs, err)
	}
	return n
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = text(item)
	}
	return out
}
