package template

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (e *evaluator) parameters(given map[string]any) {
	declared := e.section("Parameters")
	for name := range given {
		if _, ok := declared[name]; !ok {
			fail(ErrParameter, "%s: there is none of that name", name)
		}
	}
	e.stack.Parameters = map[string]any{}
	for name, raw := range declared {
		p := object(raw)
		value, ok := given[name]
		if !ok {
			value, ok = p["Default"]
		}
		if !ok {
			fail(ErrParameter, "%s: required", name)
		}
		e.stack.Parameters[name] = parameter(name, p, value)
	}
}

func parameter(name string, p Object, value any) any {
	if list, ok := value.([]any); ok { // of a nested stack: joined, as CloudFormation does
		value = strings.Join(texts(list), ",")
	}
	s := text(value)
	switch kind := text(p["Type"]); kind {
	case "String", "Number":
		checkParameter(name, kind, p, s)
		return s
	case "CommaDelimitedList":
		if s == "" {
			return []any{}
		}
		var list []any
		for item := range strings.SplitSeq(s, ",") {
			list = append(list, strings.TrimSpace(item))
		}
		return list
	default:
		fail(ErrTemplate, "parameter %s: type %q", name, kind)
		return nil
	}
}

func checkParameter(name, kind string, p Object, s string) {
	if allowed, ok := p["AllowedValues"].([]any); ok && !slices.Contains(texts(allowed), s) {
		fail(ErrParameter, "%s: %q is not allowed", name, s)
	}
	if pattern, ok := p["AllowedPattern"].(string); ok {
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			fail(ErrTemplate, "parameter %s: %v", name, err)
		}
		if !re.MatchString(s) {
			// Not the value: it may be a secret where its name belongs.
			fail(ErrParameter, "%s: is not of the form %s", name, pattern)
		}
	}
	if kind == "Number" {
		checkNumber(name, p, s)
	}
}

func checkNumber(name string, p Object, s string) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		fail(ErrParameter, "%s: %q is no number", name, s)
	}
	for bound, wrong := range map[string]func(b float64) bool{"MinValue": func(b float64) bool { return n < b }, "MaxValue": func(b float64) bool { return n > b }} {
		if v, ok := p[bound]; ok {
			if b, err := strconv.ParseFloat(text(v), 64); err != nil || wrong(b) {
				fail(ErrParameter, "%s: %s is beyond %s %v", name, s, bound, v)
			}
		}
	}
}

// rules are a template's own checks of combinations.
func (e *evaluator) rules() {
	for name, raw := range e.section("Rules") {
		rule := object(raw)
		if c, ok := rule["RuleCondition"]; ok && !e.truth(c) {
			continue
		}
		assertions, _ := rule["Assertions"].([]any)
		for _, a := range assertions {
			if a := object(a); !e.truth(a["Assert"]) {
				fail(ErrRule, "%s: %s", name, text(a["AssertDescription"]))
			}
		}
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = text(v)
	}
	return out
}

func object(v any) Object {
	o, ok := v.(Object)
	if !ok {
		fail(ErrTemplate, "%v is no mapping", v)
	}
	return o
}
