package policy

import (
	"slices"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// endpointClosed: an endpoint gives out the database's password to this account
// and nothing else, and is what functions reach under the service's own name.
func endpointClosed(s *subject) []string {
	var say said
	for _, e := range s.Of("AWS::EC2::VPCEndpoint") {
		if e.Properties["VpcEndpointType"] != "Interface" || e.Properties["PrivateDnsEnabled"] != true {
			say.f("%s is not what a function finds under the service's name", e.Path())
		}
		policy := statements(e.Properties["PolicyDocument"])
		if len(policy) != 1 || !s.forThePassword(policy[0]) {
			say.f("%s lets more through than the password's secret for this account", e.Path())
		}
	}
	for _, v := range s.Of("AWS::EC2::VPC") {
		if v.Properties["EnableDnsSupport"] != true || v.Properties["EnableDnsHostnames"] != true {
			say.f("%s has no names for endpoints", v.Path())
		}
	}
	return say
}

func (s *subject) forThePassword(st statement) bool {
	account := object(object(st.condition)["StringEquals"])["aws:PrincipalAccount"]
	return st.effect == "Allow" && slices.Equal(st.actions, []string{"secretsmanager:GetSecretValue"}) &&
		slices.Equal(st.resources, []string{text(s.Main().Parameters["DatabaseSecretArn"])}) && text(account) == s.Main().Where.Account
}

// otherAccount: what takes two accounts names both. AWS takes a missing one for
// its own, and the deployment fails, or a rule is for nobody.
func otherAccount(s *subject) []string {
	var say said
	there := text(s.Main().Parameters["DatabaseAccountId"])
	for _, p := range s.Of("AWS::EC2::VPCPeeringConnection") {
		if text(p.Properties["PeerOwnerId"]) != there || text(p.Properties["PeerRoleArn"]) != text(s.Main().Parameters["DatabasePeerRoleArn"]) {
			say.f("%s is asked of %q by the role %q", p.Path(), p.Properties["PeerOwnerId"], p.Properties["PeerRoleArn"])
		}
	}
	for _, r := range s.Of("AWS::EC2::SecurityGroupIngress") {
		group, ofDatabase := r.Properties["SourceSecurityGroupId"], r.Properties["GroupId"] == s.File.Common["DatabaseSecurityGroupId"]
		if group != nil && ofDatabase && text(r.Properties["SourceSecurityGroupOwnerId"]) != s.Main().Where.Account {
			say.f("%s does not say whose group it is for", r.Path())
		}
	}
	for _, stack := range s.Stacks {
		if stack.Template == "peer-role" {
			say = append(say, acceptsOne(stack)...)
		}
	}
	return say
}

// acceptsOne: the role may accept a peering with the database's VPC, and do
// nothing else. A peering has no id before it is asked for.
func acceptsOne(stack *template.Stack) []string {
	var say said
	vpc := "arn:aws:ec2:" + stack.Where.Region + ":" + stack.Where.Account + ":vpc/" + text(stack.Parameters["DatabaseVpcId"])
	for _, role := range stack.Of("AWS::IAM::Role") {
		policies, _ := role.Properties["Policies"].([]any)
		for _, p := range policies {
			for _, st := range statements(object(p)["PolicyDocument"]) {
				bound := slices.Equal(st.resources, []string{vpc}) || text(object(object(st.condition)["ArnEquals"])["ec2:AccepterVpc"]) == vpc
				if !bound || !slices.Equal(st.actions, []string{"ec2:AcceptVpcPeeringConnection"}) {
					say.f("%s may %v on %v", role.Path(), st.actions, st.resources)
				}
			}
		}
		if len(policies) == 0 {
			say.f("%s may not accept", role.Path())
		}
	}
	return say
}
