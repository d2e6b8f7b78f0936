package deploy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/policy"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

func TestMutations(t *testing.T) {
	t.Parallel()
	mutations(t, &counts{})
}

// mutation is a mistake in the templates, and the checks that must find it: all
// of them, and no other one.
type mutation struct {
	name   string
	change func(template.Set)
	found  []string
}

// at is a mapping inside a template, such as the properties of a resource. It
// panics if there is none: a mutation that changes nothing proves nothing.
func at(set template.Set, path ...string) template.Object {
	o := set[path[0]]
	for _, key := range path[1:] {
		next, ok := o[key].(template.Object)
		if !ok {
			panic(fmt.Sprint("no ", path))
		}
		o = next
	}
	return o
}

func properties(set template.Set, name, resource string) template.Object {
	return at(set, name, "Resources", resource, "Properties")
}

// put changes a property that is there.
func put(name, resource, property string, value any) func(template.Set) {
	return func(set template.Set) {
		p := properties(set, name, resource)
		if _, ok := p[property]; !ok {
			panic(name + "/" + resource + " has no " + property)
		}
		p[property] = value
	}
}

func drop(name, resource, property string) func(template.Set) {
	return func(set template.Set) {
		put(name, resource, property, nil)(set)
		delete(properties(set, name, resource), property)
	}
}

func remove(name, resource string) func(template.Set) {
	return func(set template.Set) {
		at(set, name, "Resources", resource)
		delete(at(set, name, "Resources"), resource)
	}
}

func add(name, resource, kind string, p template.Object) func(template.Set) {
	return func(set template.Set) {
		at(set, name, "Resources")[resource] = template.Object{"Type": kind, "Properties": p}
	}
}

// when makes an added resource one of a condition.
func when(change func(template.Set), name, resource, condition string) func(template.Set) {
	return func(set template.Set) {
		change(set)
		at(set, name, "Resources", resource)["Condition"] = condition
	}
}

func push(name, resource, property string, value any) func(template.Set) {
	return func(set template.Set) {
		p := properties(set, name, resource)
		list, ok := p[property].([]any)
		if !ok {
			panic(name + "/" + resource + " has no list " + property)
		}
		p[property] = append(slices.Clone(list), value)
	}
}

func pull(name, resource, property string, value any) func(template.Set) {
	return func(set template.Set) {
		p := properties(set, name, resource)
		list, _ := p[property].([]any)
		i := slices.Index(list, value)
		if i < 0 {
			panic(fmt.Sprint(name, "/", resource, " has no ", value))
		}
		p[property] = slices.Delete(slices.Clone(list), i, i+1)
	}
}

// allow adds a statement to the first policy of a role.
func allow(resource, action, on string) func(template.Set) {
	return func(set template.Set) {
		policies, _ := properties(set, "functions", resource)["Policies"].([]any)
		document, _ := policies[0].(template.Object)["PolicyDocument"].(template.Object)
		list, _ := document["Statement"].([]any)
		document["Statement"] = append(list, template.Object{"Effect": "Allow", "Action": action, "Resource": on})
	}
}

func ref(name string) template.Object { return template.Object{"Ref": name} }

var everyone = template.Object{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}

var mistakes = []mutation{
	// --- people and tokens
	{"custom:userId in WriteAttributes", push("client", "Client", "WriteAttributes", "custom:userId"), []string{"write-attributes"}},
	{"no WriteAttributes at all", drop("client", "Client", "WriteAttributes"), []string{"mapped-writable", "write-attributes"}},
	{"custom:userId not in ReadAttributes", pull("client", "Client", "ReadAttributes", "custom:userId"), []string{"read-attributes"}},
	{"a mapped attribute not writable", pull("client", "Client", "WriteAttributes", "name"), []string{"mapped-writable"}},
	{"email_verified writable", push("client", "Client", "WriteAttributes", "email_verified"), []string{"mapped-writable"}},
	{"e-mail required", push("identity", "UserPool", "Schema", template.Object{"Name": "email", "Required": true}), []string{"no-required-attribute"}},
	{"custom:userId immutable", func(set template.Set) {
		schema, _ := properties(set, "identity", "UserPool")["Schema"].([]any)
		schema[0].(template.Object)["Mutable"] = false
	}, []string{"attribute"}},
	{"the implicit flow", push("client", "Client", "AllowedOAuthFlows", "implicit"), []string{"client-flows"}},
	{"sign-in by password", push("client", "Client", "ExplicitAuthFlows", "ALLOW_USER_PASSWORD_AUTH"), []string{"client-flows"}},
	{"the scope that changes attributes", push("client", "Client", "AllowedOAuthScopes", "aws.cognito.signin.user.admin"), []string{"client-flows"}},
	{"tokens that cannot be revoked", put("client", "Client", "EnableTokenRevocation", false), []string{"client-flows"}},
	{"refresh tokens of apps without a secret that live on", drop("client", "Client", "RefreshTokenRotation"), []string{"client-flows"}},
	{"rotation beside the flow that Cognito refuses with it", put("client", "Client", "ExplicitAuthFlows", []any{"ALLOW_REFRESH_TOKEN_AUTH"}), []string{"client-flows"}},
	{"no list of flows, so Cognito's own", drop("client", "Client", "ExplicitAuthFlows"), []string{"client-flows"}},
	{"no branding", remove("client", "Branding"), []string{"login-page"}},
	{"a branding for some apps only", func(set template.Set) {
		at(set, "client", "Resources", "Branding")["Condition"] = "HasSecret"
	}, []string{"login-page"}},
	{"the classic page with a branding", put("identity", "Domain", "ManagedLoginVersion", 1), []string{"login-page"}},
	{"the old token trigger on every plan", func(set template.Set) {
		at(set, "identity", "Resources", "UserPool", "Properties", "LambdaConfig", "PreTokenGenerationConfig")["LambdaVersion"] = "V1_0"
	}, []string{"plan"}},
	{"Kakao asked by POST", func(set template.Set) {
		at(set, "identity", "Resources", "Kakao", "Properties", "ProviderDetails")["attributes_request_method"] = "POST"
	}, []string{"providers"}},
	{"Google's addresses all unverified", func(set template.Set) {
		delete(at(set, "identity", "Resources", "Google", "Properties", "AttributeMapping"), "email_verified")
	}, []string{"providers"}},
	{"a provider that sso-trigger refuses", put("identity", "Kakao", "ProviderName", "KakaoOIDC"), []string{"providers"}},
	{"a trigger lost", func(set template.Set) {
		delete(at(set, "identity", "Resources", "UserPool", "Properties", "LambdaConfig"), "PostAuthentication")
	}, []string{"triggers"}},
	{"the pool can be deleted", put("identity", "UserPool", "DeletionProtection", "INACTIVE"), []string{"kept"}},
	{"a replaced pool is deleted", func(set template.Set) {
		delete(at(set, "identity", "Resources", "UserPool"), "UpdateReplacePolicy")
	}, []string{"kept"}},
	{"the stack of the pool is deleted with main", func(set template.Set) {
		at(set, "main", "Resources", "Identity")["DeletionPolicy"] = "Delete"
	}, []string{"kept"}},
	{"a provider's secret in a parameter", func(set template.Set) {
		at(set, "identity", "Resources", "Kakao", "Properties", "ProviderDetails")["client_secret"] = ref("KakaoSecretArn")
	}, []string{"secrets"}},

	// --- who may call, and what they may do
	{"no source account", drop("identity", "TriggerPermission", "SourceAccount"), []string{"permissions"}},
	{"no source", drop("identity", "TriggerPermission", "SourceArn"), []string{"permissions"}},
	{"another account's source", put("identity", "TriggerPermission", "SourceAccount", "999999999999"), []string{"permissions"}},
	{"anybody may call", put("identity", "TriggerPermission", "Principal", "*"), []string{"permissions"}},
	{"Cognito may not call", remove("identity", "TriggerPermission"), []string{"permissions"}},
	{"one action too many", allow("TriggerRole", "cognito-idp:ListUsers", "*"), []string{"least-privilege"}},
	{"every action of a service", allow("SigninsRole", "sqs:*", "*"), []string{"least-privilege"}},
	{"a right on every pool", func(set template.Set) {
		document := at(set, "identity", "Resources", "WriteUserId", "Properties", "PolicyDocument")
		list, _ := document["Statement"].([]any)
		list[0].(template.Object)["Resource"] = "*"
	}, []string{"least-privilege"}},
	{"one action too few", remove("identity", "WriteUserId"), []string{"least-privilege"}},
	{"a managed policy", func(set template.Set) {
		properties(set, "functions", "DbsyncRole")["ManagedPolicyArns"] = []any{"arn:aws:iam::aws:policy/AmazonRDSFullAccess"}
	}, []string{"least-privilege"}},
	{"a cycle of role and pool", func(set template.Set) {
		at(set, "main", "Resources", "Functions", "Properties", "Parameters")["KeyArn"] = template.Object{"Fn::GetAtt": []any{"Identity", "Outputs.UserPoolArn"}}
	}, []string{policy.Evaluates}},
	{"a cycle of resources", func(set template.Set) {
		at(set, "queue", "Resources", "DeadLetters")["DependsOn"] = "TLSOnly"
		at(set, "queue", "Resources", "DeadLetters")["DependsOn"] = "Queue"
	}, []string{policy.Evaluates}},
	{"a misspelt reference", put("queue", "TLSOnly", "Queues", []any{ref("Qeue")}), []string{policy.Evaluates}},

	// --- time, queue, logs
	{"a function timeout of 5 s", put("functions", "Trigger", "Timeout", 5), []string{"function-timeout"}},
	{"a deadline after Lambda's", func(set template.Set) {
		at(set, "functions", "Resources", "Trigger", "Properties", "Environment", "Variables")["SSO_DEADLINE"] = "4s"
	}, []string{"function-timeout"}},
	{"visibility timeout too short", put("queue", "Queue", "VisibilityTimeout", 180), []string{"visibility-timeout"}},
	{"no dead letters", drop("queue", "Queue", "RedrivePolicy"), []string{"dead-letters"}},
	{"dead letters end with the queue's", put("queue", "DeadLetters", "MessageRetentionPeriod", 345600), []string{"dead-letters"}},
	{"the queue in clear", put("queue", "Queue", "SqsManagedSseEnabled", false), []string{"queue-closed"}},
	{"no TLS for the dead letters", remove("queue", "DeadLettersTLSOnly"), []string{"queue-closed"}},
	{"one bad message brings all back", drop("functions", "SigninsSource", "FunctionResponseTypes"), []string{"partial-failures"}},
	{"a batch that Lambda refuses", drop("functions", "SigninsSource", "MaximumBatchingWindowInSeconds"), []string{"partial-failures"}},
	{"logs for ever", drop("functions", "TriggerLogs", "RetentionInDays"), []string{"logs"}},
	{"logs without our key", drop("network", "FlowLogGroup", "KmsKeyId"), []string{"logs"}},
	{"logs to nobody's group", drop("functions", "Signins", "LoggingConfig"), []string{"logs"}},
	{"no warm-up", remove("functions", "DbsyncWarmUp"), []string{policy.Evaluates}}, // its permission names it
	{"a warm-up that nobody may send", remove("functions", "DbsyncWarmUpPermission"), []string{"warm-up"}},
	{"a warm-up that is off", put("functions", "SigninsWarmUp", "State", "DISABLED"), []string{"warm-up"}},
	{"a warm-up once a month", put("functions", "DbsyncWarmUp", "ScheduleExpression", "rate(30 days)"), []string{"warm-up"}},
	{"as many sign-ups at once as there are people", drop("functions", "Dbsync", "ReservedConcurrentExecutions"), []string{"connections"}},
	{"the same with nat", drop("functions", "Trigger", "ReservedConcurrentExecutions"), []string{"connections"}},
	{"as many readers of the queue as Lambda likes", drop("functions", "SigninsSource", "ScalingConfig"), []string{"connections"}},
	{"nobody hears of dead letters", remove("monitoring", "DeadLetters"), []string{"alarms"}},
	{"an alarm that tells nobody", drop("monitoring", "Healed", "AlarmActions"), []string{"alarms"}},
	{"another machine", put("functions", "Dbsync", "Architectures", []any{"x86_64"}), []string{"function-code"}},
	{"another function's code", put("functions", "Signins", "Code", "../../../dist/sso-dbsync-arm64.zip"), []string{"function-code"}},
	{"both subnets in one zone", put("network", "PrivateSubnetB", "AvailabilityZone", "ap-northeast-2a"), []string{"two-zones"}},

	// --- the network
	{"the database opened to the internet", add("database", "Open", "AWS::EC2::SecurityGroupIngress", template.Object{
		"GroupId": ref("DatabaseSecurityGroupId"), "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0",
	}), []string{"no-public-ingress", "reach-database", "rules-narrow"}},
	{"the database opened to the whole Auth VPC", when(add("database", "Open", "AWS::EC2::SecurityGroupIngress", template.Object{
		"GroupId": ref("DatabaseSecurityGroupId"), "IpProtocol": "tcp", "FromPort": ref("DatabasePort"), "ToPort": ref("DatabasePort"), "CidrIp": "10.90.0.0/24",
	}), "database", "Open", "Peered"), []string{"reach-database", "rules-narrow"}},
	{"more ports", put("database", "FromSignUp", "ToPort", 65535), []string{"rules-narrow"}},
	{"sso-signins not let in", remove("database", "FromSignins"), []string{"reach-database"}},
	{"a missing peering route", remove("network", "RouteBToDatabaseA"), []string{"reach-database"}},
	{"a missing route back", remove("database", "RoutesBToFunctionsA"), []string{"reach-database"}},
	{"a route of the peering to somewhere else", put("network", "RouteAToDatabaseA", "DestinationCidrBlock", "10.20.1.0/24"), []string{"reach-database", "routes-narrow"}},
	{"a route of the peering to the whole VPC", put("network", "RouteAToDatabaseA", "DestinationCidrBlock", "10.20.0.0/16"), []string{"routes-narrow"}},
	{"everything let out", push("network", "DbsyncSecurityGroup", "SecurityGroupEgress", everyone), []string{"reach-internet", "rules-narrow"}},
	{"no egress said, so AWS lets all out", drop("network", "SigninsSecurityGroup", "SecurityGroupEgress"), []string{"reach-internet", "rules-narrow"}},
	{"a NAT route in the split topology", func(set template.Set) {
		for _, r := range []string{"InternetGateway", "InternetGatewayAttachment", "PublicRoutes", "PublicRouteToInternet", "PublicSubnetA", "PublicSubnetARoutes", "NatAddressA", "NatA", "PrivateRouteAToInternet"} {
			at(set, "network", "Resources", r)["Condition"] = "NewVpc"
		}
	}, []string{"reach-internet"}},
	{"an internet gateway for the private subnets", when(add("network", "Out", "AWS::EC2::Route", template.Object{
		"RouteTableId": ref("PrivateRoutesA"), "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-somebodys",
	}), "network", "Out", "NewVpc"), []string{"reach-internet"}},
	{"sso-trigger without a way out", remove("network", "PrivateRouteAToInternet"), []string{"reach-internet"}},
	{"public addresses", put("network", "PrivateSubnetA", "MapPublicIpOnLaunch", true), []string{"no-public-ingress"}},
	{"an endpoint of cognito-idp", func(set template.Set) {
		properties(set, "network", "SecretsManagerEndpoint")["ServiceName"] = template.Object{"Fn::Sub": "com.amazonaws.${AWS::Region}.cognito-idp"}
	}, []string{"no-cognito-endpoint", "reach-services"}},
	{"an endpoint for everything of Secrets Manager", drop("network", "SecretsManagerEndpoint", "PolicyDocument"), []string{"endpoint-closed"}},
	{"an endpoint for every account's secrets", func(set template.Set) {
		list, _ := at(set, "network", "Resources", "SecretsManagerEndpoint", "Properties", "PolicyDocument")["Statement"].([]any)
		delete(list[0].(template.Object), "Condition")
	}, []string{"endpoint-closed"}},
	{"an endpoint under a name that no function asks for", put("network", "SecretsManagerEndpoint", "PrivateDnsEnabled", false), []string{"endpoint-closed"}},
	{"a network without names for endpoints", drop("network", "Vpc", "EnableDnsHostnames"), []string{"endpoint-closed"}},
	{"a peering that the other account cannot accept", drop("network", "Peering", "PeerRoleArn"), []string{"other-account"}},
	{"a peering asked of this account", drop("network", "Peering", "PeerOwnerId"), []string{"other-account"}},
	{"a rule for a group of an account that is not named", drop("database", "FromSignins", "SourceSecurityGroupOwnerId"), []string{"other-account"}},
	{"a peering accepted for any network", func(set template.Set) {
		policies, _ := properties(set, "peer-role", "PeerRole")["Policies"].([]any)
		document := policies[0].(template.Object)["PolicyDocument"].(template.Object)
		list, _ := document["Statement"].([]any)
		delete(list[1].(template.Object), "Condition")
	}, []string{"other-account"}},
	{"overlapping networks", func(set template.Set) {
		at(set, "main", "Parameters", "VpcCidr")["Default"] = "10.20.0.0/24"
	}, []string{"networks-apart"}},
	{"sso-signins in the group of sso-trigger", func(set template.Set) {
		properties(set, "functions", "Signins")["VpcConfig"].(template.Object)["SecurityGroupIds"] = []any{ref("SignUpSecurityGroupId")}
	}, []string{"reach-internet"}},
	{"sso-signins outside of the VPC", drop("functions", "Signins", "VpcConfig"), []string{"least-privilege", "reach-database", "reach-services"}},
	{"a door into the functions", when(add("network", "Door", "AWS::EC2::SecurityGroupIngress", template.Object{
		"GroupId": ref("SigninsSecurityGroup"), "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.90.0.0/24",
	}), "network", "Door", "NewVpc"), []string{"reach-each-other", "rules-narrow"}},
	{"the endpoint's door shut", remove("network", "EndpointFromSignins"), []string{"reach-services"}},
}

func mutations(t *testing.T, c *counts) {
	f, set := load(t)
	calls := operations(t)
	if found := policy.Run(f, set, calls); len(found) > 0 {
		t.Fatalf("the templates themselves break rules:%s", sentences(found))
	}
	red := map[string]bool{}
	for _, m := range mistakes {
		c.made++
		mutant := set.Clone()
		m.change(mutant)
		found := policy.Run(f, mutant, calls)
		names := map[string]bool{}
		for _, finding := range found {
			names[finding.Check], red[finding.Check] = true, true
		}
		if got := slices.Sorted(maps.Keys(names)); len(got) == 0 || !slices.Equal(got, m.found) {
			c.wrong(t, "%s: found by %v, want %v%s", m.name, got, m.found, sentences(found[:min(len(found), 6)]))
			continue
		}
		c.caught++
	}
	for _, name := range policy.Names() {
		if !red[name] {
			c.wrong(t, "no mutation turns the check %s red: it may be asleep", name)
		}
	}
	t.Logf("%d mutations, %d checks: %s", len(mistakes), len(red), strings.Join(policy.Names(), " "))
}
