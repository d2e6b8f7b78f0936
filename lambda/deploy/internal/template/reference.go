package template

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

const stackType = "AWS::CloudFormation::Stack"

func (e *evaluator) ref(name string) any {
	w := e.stack.Where
	switch name {
	case "AWS::NoValue":
		return noValue{}
	case "AWS::AccountId":
		return w.Account
	case "AWS::Region":
		return w.Region
	case "AWS::Partition":
		return "aws"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	case "AWS::StackName":
		return strings.ReplaceAll(e.stack.Name, "/", "-")
	}
	if v, ok := e.stack.Parameters[name]; ok {
		return v
	}
	e.depend(name)
	if e.keep {
		return Object{"Ref": name}
	}
	return e.id(name)
}

// depend notes that the resource under way names another one, which must be
// there.
func (e *evaluator) depend(name string) {
	raw, ok := e.section("Resources")[name]
	if !ok {
		fail(ErrTemplate, "%s names %s, which is neither parameter nor resource", e.at, name)
	}
	if !e.holds(object(raw)) {
		fail(ErrTemplate, "%s names %s, which is not made: its condition is false", e.at, name)
	}
	if e.at == "" {
		return
	}
	if e.edges[e.at] == nil {
		e.edges[e.at] = map[string]bool{}
	}
	e.edges[e.at][name] = true
}

// property is one property of a resource, or nil.
func (e *evaluator) property(resource, name string) any {
	p, _ := object(e.section("Resources")[resource])["Properties"].(Object)
	if _, ok := p[name]; !ok {
		return nil
	}
	at := e.at // whoever asks does not name what this property names
	e.at = ""
	defer func() { e.at = at }()
	if v := e.value(p[name]); !isNoValue(v) {
		return v
	}
	return nil
}

// names are the properties that name a resource.
var names = map[string]string{
	"AWS::Lambda::Function": "FunctionName", "AWS::SQS::Queue": "QueueName", "AWS::Logs::LogGroup": "LogGroupName",
	"AWS::IAM::Role": "RoleName", "AWS::SNS::Topic": "TopicName",
}

func (e *evaluator) kind(id string) string {
	return text(object(e.section("Resources")[id])["Type"])
}

func (e *evaluator) name(id string) string {
	if property, ok := names[e.kind(id)]; ok {
		if s := text(e.property(id, property)); s != "" {
			return s
		}
	}
	return strings.ReplaceAll(e.stack.Name, "/", "-") + "-" + id
}

// id is what Ref gives.
func (e *evaluator) id(id string) string {
	w := e.stack.Where
	switch e.kind(id) {
	case "AWS::SQS::Queue":
		return "https://sqs." + w.Region + ".amazonaws.com/" + w.Account + "/" + e.name(id)
	case "AWS::SNS::Topic", "AWS::SecretsManager::Secret":
		return e.arn(id)
	case "AWS::Cognito::UserPool":
		return w.Region + "_" + id
	}
	return e.name(id)
}

// attribute is what GetAtt gives.
func (e *evaluator) attribute(id, attribute string) any {
	e.depend(id)
	if e.keep {
		return Object{"Fn::GetAtt": []any{id, attribute}}
	}
	kind := e.kind(id)
	if output, ok := strings.CutPrefix(attribute, "Outputs."); ok && kind == stackType {
		v, there := e.nested(id).Outputs[output]
		if !there {
			fail(ErrTemplate, "%s has no output %s", id, output)
		}
		return v
	}
	switch attribute {
	case "Arn":
		return e.arn(id)
	case "ProviderURL":
		return "https://cognito-idp." + e.stack.Where.Region + ".amazonaws.com/" + e.id(id)
	case names[kind]:
		return e.name(id)
	}
	if v := e.property(id, attribute); v != nil {
		return v
	}
	return e.name(id) + "." + attribute
}

// arns are the parts of an ARN after the partition; $R, $A and $N are Region,
// account and name.
var arns = map[string]string{
	"AWS::Lambda::Function":       "lambda:$R:$A:function:$N",
	"AWS::SQS::Queue":             "sqs:$R:$A:$N",
	"AWS::Logs::LogGroup":         "logs:$R:$A:log-group:$N:*",
	"AWS::IAM::Role":              "iam::$A:role/$N",
	"AWS::SNS::Topic":             "sns:$R:$A:$N",
	"AWS::KMS::Key":               "kms:$R:$A:key/$N",
	"AWS::Events::Rule":           "events:$R:$A:rule/$N",
	"AWS::SecretsManager::Secret": "secretsmanager:$R:$A:secret:$N",
	"AWS::Cognito::UserPool":      "cognito-idp:$R:$A:userpool/$N",
}

func (e *evaluator) arn(id string) string {
	form, ok := arns[e.kind(id)]
	if !ok {
		fail(ErrTemplate, "the ARN of %s", e.kind(id))
	}
	name := e.name(id)
	if e.kind(id) == "AWS::Cognito::UserPool" {
		name = e.id(id)
	}
	return "arn:aws:" + strings.NewReplacer("$R", e.stack.Where.Region, "$A", e.stack.Where.Account, "$N", name).Replace(form)
}

// nested works out a stack below this one when its outputs are asked for, so
// stacks that wait for each other are found.
func (e *evaluator) nested(id string) *Stack {
	if s := e.stack.Nested[id]; s != nil {
		return s
	}
	if e.nesting[id] {
		fail(ErrCycle, "stack %s waits for itself through %v", id, slices.Sorted(maps.Keys(e.nesting)))
	}
	e.nesting[id] = true
	defer delete(e.nesting, id)
	at := e.at
	e.at = ""
	defer func() { e.at = at }()
	p := object(e.section("Resources")[id])["Properties"]
	file := strings.TrimSuffix(filepath.Base(text(object(p)["TemplateURL"])), ".yaml")
	given, _ := e.value(object(p)["Parameters"]).(Object)
	s, err := evaluate(e.set, e.stack.Name+"/"+id, file, given, e.stack.Where)
	if err != nil {
		panic(failure{err})
	}
	e.stack.Nested[id] = s
	return s
}
