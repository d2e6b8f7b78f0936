// Package policy are the rules that a deployment of the templates must keep and
// that no public rule set knows. Each has a name, by which the mutations say
// what must find them.
package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

// Evaluates is the name of the check that a variant can be worked out at all:
// no unknown reference, no circular dependency, no refused parameter.
const Evaluates = "evaluates"

// Finding is one break of a rule.
type Finding struct{ Variant, Check, Text string }

// Calls are the operations of AWS in each program: trigger, dbsync, signins.
type Calls map[string][]string

// subject is what a check looks at.
type subject struct {
	*variant.Deployment
	net   *network.Network
	calls Calls
}

// check gives a sentence for each break.
type check func(*subject) []string

// checks are all of them by name.
var checks = map[string]check{
	"attribute":             userIDAttribute,
	"no-required-attribute": noRequired,
	"write-attributes":      writeAttributes,
	"read-attributes":       readAttributes,
	"mapped-writable":       mappedWritable,
	"client-flows":          clientFlows,
	"login-page":            loginPage,
	"plan":                  plan,
	"providers":             providers,
	"triggers":              triggers,
	"permissions":           permissions,
	"no-cognito-endpoint":   noCognitoEndpoint,
	"endpoint-closed":       endpointClosed,
	"other-account":         otherAccount,
	"function-timeout":      functionTimeout,
	"function-code":         functionCode,
	"two-zones":             twoZones,
	"warm-up":               warmUp,
	"connections":           connections,
	"visibility-timeout":    visibilityTimeout,
	"dead-letters":          deadLetters,
	"queue-closed":          queueClosed,
	"partial-failures":      partialFailures,
	"logs":                  logs,
	"alarms":                alarms,
	"kept":                  kept,
	"secrets":               secrets,
	"least-privilege":       leastPrivilege,
	"no-public-ingress":     noPublicIngress,
	"networks-apart":        networksApart,
	"rules-narrow":          rulesNarrow,
	"routes-narrow":         routesNarrow,
	"reach-database":        reachDatabase,
	"reach-internet":        reachInternet,
	"reach-services":        reachServices,
	"reach-each-other":      reachEachOther,
}

// Names are those of the checks, sorted, with Evaluates.
func Names() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(checks)), Evaluates)))
}

// Run makes every check on every variant.
func Run(f *variant.File, set template.Set, calls Calls) []Finding {
	var out []Finding
	for _, name := range f.Names() {
		out = append(out, runOne(f, set, calls, name)...)
	}
	return out
}

func runOne(f *variant.File, set template.Set, calls Calls, name string) []Finding {
	d, err := f.Evaluate(set, name)
	if err != nil {
		return []Finding{{name, Evaluates, err.Error()}}
	}
	n, err := network.Build(d)
	if err != nil {
		return []Finding{{name, Evaluates, err.Error()}}
	}
	s := &subject{Deployment: d, net: n, calls: calls}
	var out []Finding
	for _, check := range slices.Sorted(maps.Keys(checks)) {
		for _, text := range checks[check](s) {
			out = append(out, Finding{name, check, text})
		}
	}
	return out
}

// --- reading properties

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func number(v any) int {
	n, err := strconv.Atoi(text(v))
	if err != nil {
		return -1
	}
	return n
}

func object(v any) template.Object {
	o, _ := v.(template.Object)
	return o
}

// list is a list of texts; one text is a list of one.
func list(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, len(v))
		for i, item := range v {
			out[i] = text(item)
		}
		return out
	}
	return []string{text(v)}
}

// program is the name of a function without the prefix: trigger, dbsync,
// signins.
func (s *subject) program(function *template.Resource) string {
	prefix := text(s.Main().Parameters["Prefix"]) + "-"
	name := text(function.Properties["FunctionName"])
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return name[len(prefix):]
	}
	return name
}

func (s *subject) split() bool { return s.Main().Parameters["Topology"] == "split" }

func (s *subject) lite() bool { return s.Main().Parameters["FeaturePlan"] == "LITE" }

func (s *subject) functions() []*template.Resource { return s.Of("AWS::Lambda::Function") }

func (s *subject) pool() *template.Resource {
	pools := s.Of("AWS::Cognito::UserPool")
	if len(pools) != 1 {
		return &template.Resource{Properties: template.Object{}}
	}
	return pools[0]
}

// said collects the sentences of a check.
type said []string

func (s *said) f(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }
