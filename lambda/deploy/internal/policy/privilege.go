package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// statement is one of a policy.
type statement struct {
	effect, principal  string
	actions, resources []string
	condition          any
}

func statements(document any) []statement {
	var out []statement
	items, _ := object(document)["Statement"].([]any)
	for _, item := range items {
		o := object(item)
		out = append(out, statement{
			effect: text(o["Effect"]), principal: text(o["Principal"]), actions: list(o["Action"]), resources: list(o["Resource"]), condition: o["Condition"],
		})
	}
	return out
}

// granted are the statements of a role, its own and those attached to it.
func (s *subject) granted(arn string) []statement {
	name := arn[strings.LastIndex(arn, "/")+1:]
	var out []statement
	for _, r := range s.Of("AWS::IAM::Role") {
		if r.ID != name {
			continue
		}
		policies, _ := r.Properties["Policies"].([]any)
		for _, p := range policies {
			out = append(out, statements(object(p)["PolicyDocument"])...)
		}
		for _, managed := range list(r.Properties["ManagedPolicyArns"]) {
			out = append(out, statement{effect: "Allow", actions: []string{managed}, resources: []string{"*"}})
		}
	}
	for _, p := range s.Of("AWS::IAM::Policy") {
		if slices.Contains(list(p.Properties["Roles"]), name) {
			out = append(out, statements(p.Properties["PolicyDocument"])...)
		}
	}
	return out
}

// networkActions are what Lambda itself does with a function's role to put it into a
// VPC. They take no other resource than all.
var networkActions = []string{
	"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
	"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
}

// leastPrivilege: a role has what its program can call and what Lambda needs to
// run it, on the one resource each, and nothing else.
func leastPrivilege(s *subject) []string {
	var say said
	for _, f := range s.functions() {
		want := s.needs(f, &say)
		got, deny := map[string]bool{}, false
		for _, st := range s.granted(text(f.Properties["Role"])) {
			if st.effect == "Deny" {
				deny = deny || deniesCode(s, f, st)
				continue
			}
			for _, a := range st.actions {
				for _, r := range st.resources {
					got[a+" on "+r] = true
				}
			}
		}
		for _, missing := range slices.Sorted(maps.Keys(without(want, got))) {
			say.f("%s lacks %s", f.Path(), missing)
		}
		for _, extra := range slices.Sorted(maps.Keys(without(got, want))) {
			say.f("%s has %s, for which there is no use", f.Path(), extra)
		}
		if f.Properties["VpcConfig"] != nil && !deny {
			say.f("%s: its code may change network interfaces", f.Path())
		}
	}
	return say
}

func without(a, b map[string]bool) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		if !b[k] {
			out[k] = true
		}
	}
	return out
}

// deniesCode: the right to change interfaces is Lambda's, not that of the code.
func deniesCode(s *subject, f *template.Resource, st statement) bool {
	source := object(object(st.condition)["ArnEquals"])["lambda:SourceFunctionArn"]
	return slices.Equal(st.actions, []string{"ec2:*"}) && slices.Equal(st.resources, []string{"*"}) && text(source) == functionARN(s, f)
}

// needs are the rights of a function.
func (s *subject) needs(f *template.Resource, say *said) map[string]bool {
	out := map[string]bool{}
	for _, call := range s.calls[s.program(f)] {
		right, known := s.right(call, f)
		if !known {
			say.f("%s can call %s, and nobody said which right that takes", f.Path(), call)
		}
		if right != "" {
			out[right] = true
		}
	}
	if len(s.calls[s.program(f)]) == 0 {
		say.f("%s: nothing is known of what its program calls", f.Path())
	}
	s.platformNeeds(f, out)
	return out
}

// right is what a call takes, or "" if the settings keep it from being made.
func (s *subject) right(call string, f *template.Resource) (right string, known bool) {
	env := object(object(f.Properties["Environment"])["Variables"])
	queue, w := text(s.Main().Nested["Queue"].Outputs["QueueArn"]), s.Main().Where
	remote := env["SSO_STORE"] == "remote"
	switch call {
	case "cognitoidentityprovider.AdminUpdateUserAttributes":
		return "cognito-idp:AdminUpdateUserAttributes on " + text(s.Main().Nested["Identity"].Outputs["UserPoolArn"]), true
	case "sqs.SendMessage":
		return "sqs:SendMessage on " + queue, true
	case "lambda.Invoke":
		return when(remote, "lambda:InvokeFunction on arn:aws:lambda:"+w.Region+":"+w.Account+":function:"+text(env["SSO_DBSYNC_FUNCTION"])), true
	case "rds/auth.BuildAuthToken":
		user := text(s.Main().Parameters["DatabaseResourceId"]) + "/" + text(env["SSO_DB_USER"])
		return when(!remote && env["SSO_DB_AUTH"] == "iam", "rds-db:connect on arn:aws:rds-db:"+w.Region+":"+w.Account+":dbuser:"+user), true
	case "secretsmanager.GetSecretValue":
		return when(!remote && env["SSO_DB_AUTH"] == "secret", "secretsmanager:GetSecretValue on "+text(env["SSO_DB_SECRET_ARN"])), true
	}
	return "", false
}

func when(made bool, right string) string {
	if made {
		return right
	}
	return ""
}

// platformNeeds are what AWS does with a function's role: logs, interfaces,
// reading the queue, opening a secret with its key.
func (s *subject) platformNeeds(f *template.Resource, out map[string]bool) {
	w := s.Main().Where
	group := "arn:aws:logs:" + w.Region + ":" + w.Account + ":log-group:/aws/lambda/" + f.ID + ":*"
	out["logs:CreateLogStream on "+group], out["logs:PutLogEvents on "+group] = true, true
	if f.Properties["VpcConfig"] != nil {
		for _, a := range networkActions {
			out[a+" on *"] = true
		}
	}
	for _, m := range s.Of("AWS::Lambda::EventSourceMapping") {
		if text(m.Properties["FunctionName"]) == f.ID {
			for _, a := range []string{"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"} {
				out["sqs:"+a+" on "+text(m.Properties["EventSourceArn"])] = true
			}
		}
	}
	env := object(object(f.Properties["Environment"])["Variables"])
	if key := text(s.Main().Parameters["DatabaseSecretKeyArn"]); key != "" && env["SSO_DB_AUTH"] == "secret" {
		out["kms:Decrypt on "+key] = true
	}
}
