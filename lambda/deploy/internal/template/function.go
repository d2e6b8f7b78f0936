package template

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// evaluator works out one stack.
type evaluator struct {
	set        Set
	template   Object
	stack      *Stack
	conditions map[string]bool            // worked out already
	at         string                     // the resource that is being worked out, or ""
	edges      map[string]map[string]bool // resource → what it names
	nesting    map[string]bool            // nested stacks under way
	keep       bool                       // leave references between resources as they are
}

type failure struct{ error }

func fail(kind error, format string, args ...any) {
	panic(failure{fmt.Errorf("%w: "+format, append([]any{kind}, args...)...)})
}

// noValue takes its key or item away.
type noValue struct{}

func (e *evaluator) section(name string) Object {
	o, _ := e.template[name].(Object)
	return o
}

// value works out any value.
func (e *evaluator) value(v any) any {
	switch v := v.(type) {
	case Object:
		if name, argument, ok := function(v); ok {
			return e.call(name, argument)
		}
		out := Object{}
		for k, item := range v {
			if item := e.value(item); !isNoValue(item) {
				out[k] = item
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if item := e.value(item); !isNoValue(item) {
				out = append(out, item)
			}
		}
		return out
	}
	return v
}

func isNoValue(v any) bool {
	_, ok := v.(noValue)
	return ok
}

// function tells a function from a mapping that is just that. The key
// Condition of a policy statement is followed by a mapping, never by a name.
func function(o Object) (name string, argument any, ok bool) {
	if len(o) != 1 {
		return "", nil, false
	}
	for name, argument := range o {
		if name == "Ref" || strings.HasPrefix(name, "Fn::") {
			return name, argument, true
		}
		if _, isText := argument.(string); name == "Condition" && isText {
			return name, argument, true
		}
	}
	return "", nil, false
}

func (e *evaluator) call(name string, argument any) any {
	switch name {
	case "Ref":
		return e.ref(text(argument))
	case "Fn::GetAtt":
		list := e.list(argument, 2)
		return e.attribute(text(list[0]), text(list[1]))
	case "Fn::Sub":
		return e.sub(argument)
	case "Fn::Join":
		a := e.list(argument, 2)
		return join(text(a[0]), e.items(a[1]))
	case "Fn::Split":
		a := e.list(argument, 2)
		return split(text(e.value(a[1])), text(a[0]))
	case "Fn::Select":
		return e.selected(argument)
	case "Fn::If":
		a := e.list(argument, 3)
		if e.condition(text(a[0])) {
			return e.value(a[1])
		}
		return e.value(a[2])
	case "Fn::FindInMap":
		a := texts(e.items(argument))
		return object(object(object(e.section("Mappings")[a[0]])[a[1]]))[a[2]]
	case "Fn::Cidr":
		return e.cidr(argument)
	case "Fn::GetAZs":
		return []any{e.stack.Where.Region + "a", e.stack.Where.Region + "b", e.stack.Where.Region + "c"}
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Condition":
		return e.truth(Object{name: argument})
	default:
		fail(ErrTemplate, "the function %s", name)
		return nil
	}
}

// list is an argument as it stands; n items.
func (e *evaluator) list(v any, n int) []any {
	l, ok := v.([]any)
	if !ok || len(l) != n {
		fail(ErrTemplate, "%v is no list of %d", v, n)
	}
	return l
}

// items is a list worked out.
func (e *evaluator) items(v any) []any {
	l, ok := e.value(v).([]any)
	if !ok {
		fail(ErrTemplate, "%v is no list", v)
	}
	return l
}

func split(s, by string) []any {
	var out []any
	for part := range strings.SplitSeq(s, by) {
		out = append(out, part)
	}
	return out
}

func (e *evaluator) selected(argument any) any {
	a := e.list(argument, 2)
	i, err := strconv.Atoi(text(e.value(a[0])))
	items := e.items(a[1])
	if err != nil || i < 0 || i >= len(items) {
		fail(ErrTemplate, "Fn::Select of %v out of %d", a[0], len(items))
	}
	return items[i]
}

func (e *evaluator) truth(v any) bool {
	o := object(v)
	name, argument, _ := function(o)
	l, _ := argument.([]any)
	switch name {
	case "Condition":
		return e.condition(text(argument))
	case "Fn::Equals":
		a := e.list(argument, 2)
		return text(e.value(a[0])) == text(e.value(a[1]))
	case "Fn::Not":
		return !e.truth(e.list(argument, 1)[0])
	case "Fn::And":
		for _, c := range l {
			if !e.truth(c) {
				return false
			}
		}
		return true
	case "Fn::Or":
		for _, c := range l {
			if e.truth(c) {
				return true
			}
		}
		return false
	default:
		fail(ErrTemplate, "%v is no condition", v)
		return false
	}
}

func (e *evaluator) condition(name string) bool {
	known, ok := e.conditions[name]
	if !ok {
		raw, there := e.section("Conditions")[name]
		if !there {
			fail(ErrTemplate, "there is no condition %s", name)
		}
		known = e.truth(raw)
		e.conditions[name] = known
	}
	return known
}

// sub replaces ${Name} and ${Name.Attribute}; ${!x} is ${x} itself.
func (e *evaluator) sub(argument any) any {
	own := Object{}
	if l, ok := argument.([]any); ok {
		argument, own = l[0], object(l[1])
	}
	var parts []any
	rest := text(argument)
	for {
		before, after, found := strings.Cut(rest, "${")
		parts = append(parts, before)
		if !found {
			return join("", parts)
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			fail(ErrTemplate, "${ without }")
		}
		parts = append(parts, e.subbed(name, own))
		rest = tail
	}
}

func (e *evaluator) subbed(name string, own Object) any {
	if literal, ok := strings.CutPrefix(name, "!"); ok {
		return "${" + literal + "}"
	}
	if v, ok := own[name]; ok {
		return e.value(v)
	}
	if resource, attribute, ok := strings.Cut(name, "."); ok {
		return e.attribute(resource, attribute)
	}
	return e.ref(name)
}

// join is text, or what is left of Fn::Join if a reference was kept.
func join(by string, parts []any) any {
	for _, p := range parts {
		if _, kept := p.(Object); kept {
			return Object{"Fn::Join": []any{by, parts}}
		}
	}
	return strings.Join(texts(parts), by)
}

// cidr cuts a network into count networks of 2^bits addresses.
func (e *evaluator) cidr(argument any) any {
	a := e.items(argument)
	if len(a) != 3 {
		fail(ErrTemplate, "Fn::Cidr of %d", len(a))
	}
	block, err := netip.ParsePrefix(text(a[0]))
	count, err2 := strconv.Atoi(text(a[1]))
	bits, err3 := strconv.Atoi(text(a[2]))
	if err != nil || err2 != nil || err3 != nil || !block.Addr().Is4() || bits < 0 || 32-bits < block.Bits() || count > 1<<(32-bits-block.Bits()) {
		fail(ErrTemplate, "Fn::Cidr of %v", a)
	}
	b := block.Masked().Addr().As4()
	base := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	var out []any
	for i := range count {
		n := base + uint32(i)<<bits //nolint:gosec // checked above
		out = append(out, fmt.Sprintf("%d.%d.%d.%d/%d", n>>24, n>>16&255, n>>8&255, n&255, 32-bits))
	}
	return out
}
