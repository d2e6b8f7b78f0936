package policy

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// permissions: whoever may call a function is one resource of this account.
// Cognito may call sso-trigger, and it alone.
func permissions(s *subject) []string {
	var say said
	cognito := 0
	for _, p := range s.Of("AWS::Lambda::Permission") {
		principal, source := text(p.Properties["Principal"]), text(p.Properties["SourceArn"])
		if source == "" || strings.Contains(source, "*") || text(p.Properties["SourceAccount"]) != s.Main().Where.Account {
			say.f("%s is not bound to one source of this account", p.Path())
		}
		switch principal {
		case "cognito-idp.amazonaws.com":
			cognito++
			if source != text(s.Main().Nested["Identity"].Outputs["UserPoolArn"]) || text(p.Properties["FunctionName"]) != text(s.Main().Nested["Functions"].Outputs["TriggerArn"]) {
				say.f("%s is not for the pool and sso-trigger", p.Path())
			}
		case "events.amazonaws.com":
		default:
			say.f("%s lets %q call a function", p.Path(), principal)
		}
	}
	if cognito != 1 {
		say.f("%d permissions for Cognito", cognito)
	}
	return say
}

// functionTimeout: Cognito stops waiting after 5 s, and a run that goes on then
// meets the next try.
func functionTimeout(s *subject) []string {
	var say said
	for _, f := range s.functions() {
		if s.program(f) == "signins" {
			continue
		}
		timeout := number(f.Properties["Timeout"])
		if timeout < 1 || timeout >= 5 {
			say.f("%s has %d s", f.Path(), timeout)
		}
		variables := object(object(f.Properties["Environment"])["Variables"])
		if v, ok := variables["SSO_DEADLINE"]; ok {
			if d, err := time.ParseDuration(text(v)); err != nil || d >= time.Duration(timeout)*time.Second {
				say.f("%s: SSO_DEADLINE %v is not before the %d s of Lambda", f.Path(), v, timeout)
			}
		}
	}
	return say
}

// functionCode: what make lambdas builds.
func functionCode(s *subject) []string {
	var say said
	for _, f := range s.functions() {
		p := f.Properties
		if path.Clean(text(p["Code"])) != "../../../dist/sso-"+s.program(f)+"-arm64.zip" || !slices.Equal(list(p["Architectures"]), []string{"arm64"}) {
			say.f("%s runs %v on %v", f.Path(), p["Code"], p["Architectures"])
		}
		if p["Runtime"] != "provided.al2023" || p["Handler"] != "bootstrap" || number(p["MemorySize"]) < 256 {
			say.f("%s: runtime, handler or memory", f.Path())
		}
	}
	if want := map[bool]int{true: 3, false: 2}[s.split()]; len(s.functions()) != want {
		say.f("%d functions, not %d", len(s.functions()), want)
	}
	return say
}

func twoZones(s *subject) []string {
	var say said
	for _, f := range s.functions() {
		vpc := object(f.Properties["VpcConfig"])
		if subnets := list(vpc["SubnetIds"]); vpc != nil && len(slices.Compact(slices.Sorted(slices.Values(subnets)))) < 2 {
			say.f("%s is in %v", f.Path(), subnets)
		}
	}
	zones := map[string]string{}
	for _, n := range s.Of("AWS::EC2::Subnet") {
		kind, zone := n.LogicalID[:len(n.LogicalID)-1], text(n.Properties["AvailabilityZone"])
		if zones[kind] == zone {
			say.f("%s is in the zone of the other one", n.Path())
		}
		zones[kind] = zone
	}
	return say
}

// warmUp: a function in a VPC that nobody calls is put away, and its next call
// fails.
func warmUp(s *subject) []string {
	var say said
	warmed := map[string]bool{}
	for _, r := range s.Of("AWS::Events::Rule") {
		targets, _ := r.Properties["Targets"].([]any)
		for _, t := range targets {
			if o := object(t); text(o["Input"]) == `{"warmup":true}` && r.Properties["State"] == "ENABLED" && r.Properties["ScheduleExpression"] == "rate(5 minutes)" {
				warmed[text(o["Arn"])] = allowed(s, r, text(o["Arn"]))
			}
		}
	}
	for _, f := range s.functions() {
		if !warmed[functionARN(s, f)] {
			say.f("%s is not kept warm", f.Path())
		}
	}
	return say
}

// connections: no wave of people takes all that the database has.
func connections(s *subject) []string {
	var say said
	signUp := map[bool]string{true: "dbsync", false: "trigger"}[s.split()]
	most := text(s.Main().Parameters["DatabaseConcurrency"])
	if most == "0" {
		most = "" // as many as the account allows
	}
	for _, f := range s.functions() {
		if is := text(f.Properties["ReservedConcurrentExecutions"]); s.program(f) == signUp && is != most {
			say.f("%s runs %q at once, and DatabaseConcurrency is %q", f.Path(), is, most)
		}
	}
	for _, m := range s.Of("AWS::Lambda::EventSourceMapping") {
		if number(object(m.Properties["ScalingConfig"])["MaximumConcurrency"]) != 2 {
			say.f("%s does not say how many read the queue at once", m.Path())
		}
	}
	return say
}

// allowed: the rule may call the function.
func allowed(s *subject, rule *template.Resource, arn string) bool {
	for _, p := range s.Of("AWS::Lambda::Permission") {
		name := text(p.Properties["FunctionName"])
		if strings.HasSuffix(arn, ":"+name) && strings.HasSuffix(text(p.Properties["SourceArn"]), "/"+rule.ID) && p.Properties["Principal"] == "events.amazonaws.com" {
			return true
		}
	}
	return false
}

func functionARN(s *subject, f *template.Resource) string {
	w := s.Main().Where
	return "arn:aws:lambda:" + w.Region + ":" + w.Account + ":function:" + f.ID
}

// logs: each function writes to a group of ours, and each group has an end of
// time and a key.
func logs(s *subject) []string {
	var say said
	groups := map[string]bool{}
	for _, g := range s.Of("AWS::Logs::LogGroup") {
		groups[g.ID] = true
		if number(g.Properties["RetentionInDays"]) < 1 {
			say.f("%s keeps logs for ever", g.Path())
		}
		if text(g.Properties["KmsKeyId"]) != text(s.Main().Outputs["KeyArn"]) {
			say.f("%s is not encrypted with our key", g.Path())
		}
	}
	for _, f := range s.functions() {
		if !groups[text(object(f.Properties["LoggingConfig"])["LogGroup"])] {
			say.f("%s writes to a group that is not ours", f.Path())
		}
	}
	return say
}

// alarms: each names a topic, and what fails silently has one.
func alarms(s *subject) []string {
	var say said
	seen := map[string]bool{}
	for _, a := range s.Of("AWS::CloudWatch::Alarm") {
		if len(list(a.Properties["AlarmActions"])) == 0 {
			say.f("%s tells nobody", a.Path())
		}
		dimensions, _ := a.Properties["Dimensions"].([]any)
		for _, d := range dimensions {
			seen[text(a.Properties["MetricName"])+" "+text(object(d)["Value"])] = true
		}
	}
	want := []string{"ApproximateNumberOfMessagesVisible " + text(s.Main().Nested["Queue"].Outputs["DeadLettersName"]), "Healed sso-trigger", "SignInsLost sso-trigger", "Failed sso-trigger"}
	for _, f := range s.functions() {
		want = append(want, "Errors "+f.ID)
	}
	for _, w := range want {
		if !seen[w] {
			say.f("no alarm for %s", w)
		}
	}
	return say
}
