package parameters_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/parameters"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

// check is Check with the parameters that all variants share, changed.
func check(t *testing.T, change map[string]string, taken ...netip.Prefix) error {
	t.Helper()
	f, err := variant.Read(filepath.Join("..", "..", "variants.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := template.Load(filepath.Join("..", "..", "templates"))
	if err != nil {
		t.Fatal(err)
	}
	given := maps.Clone(f.Common)
	maps.Copy(given, change)
	list := []map[string]string{}
	for k, v := range given {
		list = append(list, map[string]string{"ParameterKey": k, "ParameterValue": v})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return parameters.Check(set, strings.NewReader(string(raw)), template.Where{Account: f.Account, Region: f.Region}, taken...)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	database, beside := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("10.90.0.128/25")
	for _, row := range []struct {
		name   string
		change map[string]string
		taken  []netip.Prefix
		want   error
	}{
		{"all right", nil, []netip.Prefix{database}, nil},
		{"the VPC in a subnet of the database", map[string]string{"VpcCidr": "10.20.10.128/25"}, nil, parameters.ErrOverlap},
		{"a subnet of the database in the VPC", map[string]string{"VpcCidr": "10.20.0.0/16"}, nil, parameters.ErrOverlap},
		{"the VPC in the database's", map[string]string{"VpcCidr": "10.20.90.0/24"}, []netip.Prefix{database}, parameters.ErrOverlap},
		{"the VPC in another one", nil, []netip.Prefix{database, beside}, parameters.ErrOverlap},
		{"a given network, whatever it shares", map[string]string{"VpcId": "vpc-1", "SubnetIds": "a,b", "VpcCidr": "10.20.0.0/16"}, []netip.Prefix{database}, nil},
		{"a subnet that is none", map[string]string{"DatabaseSubnetCidrB": "10.20.11"}, nil, template.ErrParameter},
		{"an address in place of a network", map[string]string{"DatabaseSubnetCidrB": "10.20.11.7/24"}, nil, template.ErrParameter},
		{"an octet of three hundred", map[string]string{"VpcCidr": "300.1.1.0/24"}, nil, template.ErrTemplate},
		{"a misspelt parameter", map[string]string{"DatabaseHots": "x"}, nil, template.ErrParameter},
		{"a VPC without subnets", map[string]string{"VpcId": "vpc-1"}, nil, template.ErrRule},
		{"IAM in another account", map[string]string{"DatabaseAccountId": "444455556666", "DatabasePeerRoleArn": "arn:x"}, nil, template.ErrRule},
		{"no way back", map[string]string{"DatabaseRouteTableIdA": ""}, nil, template.ErrRule},
		{"nobody's group", map[string]string{"DatabaseSecurityGroupId": ""}, nil, template.ErrRule},
		{"a secret without a name", map[string]string{"DatabaseAuth": "secret"}, nil, template.ErrRule},
		{"IAM without a user", map[string]string{"DatabaseUser": ""}, nil, template.ErrRule},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if err := check(t, row.change, row.taken...); !errors.Is(err, row.want) {
				t.Errorf("error = %v, want %v", err, row.want)
			}
		})
	}
}

func TestCheckWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "{}", "[1]", `[{"ParameterKey":"Prefix"}]`, `[{"Key":"Prefix","Value":"x"}]`,
		`[{"ParameterKey":"Prefix","ParameterValue":"a"},{"ParameterKey":"Prefix","ParameterValue":"b"}]`} {
		if err := parameters.Check(template.Set{}, strings.NewReader(in), template.Where{}); !errors.Is(err, parameters.ErrInput) {
			t.Errorf("%q: error = %v", in, err)
		}
	}
}
