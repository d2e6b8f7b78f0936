// Package variant reads the deployments that the checks run on, and works each
// of them out: the main stack, a stack for each app, and, where the database is
// in another account, the stacks there.
package variant

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// File is variants.yaml.
type File struct {
	Account, Region string
	World           World
	Common          map[string]string
	Variants        map[string]Variant
	Clients         map[string]map[string]string
}

// Variant is one deployment: what it says beside File.Common.
type Variant struct {
	// DatabaseAccount is the account of the database, if it is another one.
	DatabaseAccount string `yaml:"databaseAccount"`
	// Given: the functions go into a network that is there, with World.Given.
	Given      bool
	Parameters map[string]string
}

// World is what is there before anything is deployed.
type World struct {
	VPCs  map[string]VPC
	Given struct {
		// Peerings are the two VPCs of each.
		Peerings map[string][]string
		// Routes are more routes, by route table.
		Routes map[string][]Route
	}
	Database Member
	Members  map[string]Member
}

// VPC is one that is there.
type VPC struct {
	CIDR        string
	Subnets     map[string]Subnet
	RouteTables map[string][]Route `yaml:"routeTables"`
	Groups      map[string]Group
}

// Subnet is in a VPC; Routes is its route table.
type Subnet struct{ CIDR, Routes string }

// Route leads to a gateway: igw-…, nat-… or pcx-….
type Route struct{ To, By string }

// Group is a security group without ingress, of which the templates make some.
type Group struct{ Egress []Route }

// Member is somebody in the network.
type Member struct{ Subnets, Groups []string }

// Read reads the file. An unknown key is an error.
func Read(path string) (*File, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	out := &File{}
	if err := decoder.Decode(out); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// Names are those of the variants, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Variants)) }

// Deployment is a variant worked out.
type Deployment struct {
	Name  string
	File  *File
	Given bool
	// Stacks are all of them with no stack above: main, one for each client and
	// group, and those in the database's account.
	Stacks []*template.Stack
}

// Main is the main stack.
func (d *Deployment) Main() *template.Stack { return d.Stacks[0] }

// All is every stack, nested ones too.
func (d *Deployment) All() []*template.Stack {
	var out []*template.Stack
	for _, s := range d.Stacks {
		out = append(out, s.All()...)
	}
	return out
}

// Of is every resource of a type.
func (d *Deployment) Of(kind string) []*template.Resource {
	var out []*template.Resource
	for _, s := range d.Stacks {
		out = append(out, s.Of(kind)...)
	}
	return out
}

// Evaluate works out the variant of a name with the templates of set.
func (f *File) Evaluate(set template.Set, name string) (*Deployment, error) {
	v, ok := f.Variants[name]
	if !ok {
		return nil, fmt.Errorf("there is no variant %s", name)
	}
	parameters := maps.Clone(f.Common)
	maps.Copy(parameters, v.Parameters)
	here := template.Where{Account: f.Account, Region: f.Region}
	main, err := template.Evaluate(set, "main", parameters, here)
	if err != nil {
		return nil, err
	}
	d := &Deployment{Name: name, File: f, Given: v.Given, Stacks: []*template.Stack{main}}
	if err := d.apps(set, here); err != nil {
		return nil, err
	}
	if v.DatabaseAccount != "" {
		err = d.otherAccount(set, template.Where{Account: v.DatabaseAccount, Region: f.Region})
	}
	return d, err
}

// apps makes a stack for each client, and one group.
func (d *Deployment) apps(set template.Set, where template.Where) error {
	main := d.Main()
	for _, app := range slices.Sorted(maps.Keys(d.File.Clients)) {
		parameters := map[string]string{
			"AppName": app, "UserPoolId": text(main.Outputs["UserPoolId"]), "KeyArn": text(main.Outputs["KeyArn"]),
			"Domain": text(main.Outputs["Domain"]), "FeaturePlan": text(main.Parameters["FeaturePlan"]), "Prefix": text(main.Parameters["Prefix"]),
		}
		maps.Copy(parameters, d.File.Clients[app])
		if err := d.add(set, "client", parameters, where); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
		rename(d.Stacks[len(d.Stacks)-1], "client-"+app)
	}
	return d.add(set, "group", map[string]string{"UserPoolId": text(main.Outputs["UserPoolId"]), "GroupName": "staff"}, where)
}

// rename names a stack and its resources, of which there would be several else.
func rename(s *template.Stack, name string) {
	s.Name = name
	for _, r := range s.Resources {
		r.Stack = name
	}
}

func (d *Deployment) add(set template.Set, name string, parameters map[string]string, where template.Where) error {
	s, err := template.Evaluate(set, name, parameters, where)
	if err == nil {
		d.Stacks = append(d.Stacks, s)
	}
	return err
}

// otherAccount makes the stacks of the database's account, from what the main
// stack puts out.
func (d *Deployment) otherAccount(set template.Set, there template.Where) error {
	main, common := d.Main(), d.File.Common
	err := d.add(set, "peer-role", map[string]string{"AuthAccountId": main.Where.Account, "DatabaseVpcId": common["DatabaseVpcId"]}, there)
	if err != nil {
		return err
	}
	parameters := map[string]string{
		"AuthAccountId": main.Where.Account, "DatabasePort": text(main.Nested["Network"].Parameters["DatabasePort"]),
		"DatabaseSecurityGroupId": common["DatabaseSecurityGroupId"],
	}
	for _, k := range []string{"DatabaseRouteTableIdA", "DatabaseRouteTableIdB"} {
		parameters[k] = common[k]
	}
	for _, k := range []string{"PeeringConnectionId", "FunctionCidrA", "FunctionCidrB", "SignUpSecurityGroupId", "SigninsSecurityGroupId"} {
		parameters[k] = text(main.Outputs[k])
	}
	return d.add(set, "database", parameters, there)
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
