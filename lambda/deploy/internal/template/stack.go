package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Where is the account and Region that a stack is made in.
type Where struct{ Account, Region string }

// Stack is what a template comes to with its parameters.
type Stack struct {
	// Name is its path among nested stacks, such as main/Network.
	Name string
	// Template is the name of its file, without .yaml.
	Template string
	Where    Where
	// Parameters have every value, defaults too: a string, or a list of them.
	Parameters map[string]any
	// Resources are those whose condition holds.
	Resources map[string]*Resource
	Outputs   map[string]any
	// Nested are the stacks below this one by their logical id.
	Nested map[string]*Stack
}

// Resource is one resource with its functions worked out.
type Resource struct {
	Stack, LogicalID, Type string
	// ID is what Ref gives.
	ID                                  string
	Properties                          Object
	DeletionPolicy, UpdateReplacePolicy string
}

// Path is Stack and LogicalID, for messages.
func (r *Resource) Path() string { return r.Stack + "/" + r.LogicalID }

// Evaluate works out the stack of a template, and every stack below it.
func Evaluate(set Set, name string, parameters map[string]string, where Where) (*Stack, error) {
	given := map[string]any{}
	for k, v := range parameters {
		given[k] = v
	}
	return evaluate(set, name, name, given, where)
}

// All is the stack and those below it, in order of their names.
func (s *Stack) All() []*Stack {
	out := []*Stack{s}
	for _, name := range slices.Sorted(maps.Keys(s.Nested)) {
		out = append(out, s.Nested[name].All()...)
	}
	return out
}

// Of is every resource of a type, in this stack and those below it.
func (s *Stack) Of(kind string) []*Resource {
	var out []*Resource
	for _, stack := range s.All() {
		for _, id := range slices.Sorted(maps.Keys(stack.Resources)) {
			if r := stack.Resources[id]; r.Type == kind {
				out = append(out, r)
			}
		}
	}
	return out
}

// Flatten is the template of a stack with its parameters and conditions worked
// out, and only the references between its resources left: what tools need that
// know resources and not parameters.
func Flatten(set Set, s *Stack) (Object, error) {
	e, err := newEvaluator(set, s.Name, s.Template, s.Where)
	if err != nil {
		return nil, err
	}
	e.keep = true
	if err := e.run(s.Parameters); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	resources := Object{}
	for id, r := range e.stack.Resources {
		o := Object{"Type": r.Type, "Properties": r.Properties}
		for key, policy := range map[string]string{"DeletionPolicy": r.DeletionPolicy, "UpdateReplacePolicy": r.UpdateReplacePolicy} {
			if policy != "" {
				o[key] = policy
			}
		}
		resources[id] = o
	}
	return Object{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}, nil
}

func evaluate(set Set, path, name string, given map[string]any, where Where) (*Stack, error) {
	e, err := newEvaluator(set, path, name, where)
	if err != nil {
		return nil, err
	}
	if err := e.run(given); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e.stack, nil
}

func newEvaluator(set Set, path, name string, where Where) (*evaluator, error) {
	t, ok := set[name]
	if !ok {
		return nil, fmt.Errorf("%w: there is no %s.yaml", ErrTemplate, name)
	}
	return &evaluator{
		set: set, template: t,
		stack:      &Stack{Name: path, Template: name, Where: where, Resources: map[string]*Resource{}, Outputs: map[string]any{}, Nested: map[string]*Stack{}},
		conditions: map[string]bool{}, edges: map[string]map[string]bool{}, nesting: map[string]bool{},
	}, nil
}

// run panics with a failure inside, which keeps the evaluation readable, and
// returns it.
func (e *evaluator) run(given map[string]any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = f.error
		}
	}()
	e.parameters(given)
	e.rules()
	resources := e.section("Resources")
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		e.resource(id)
	}
	e.refuseCycles()
	for id, o := range e.section("Outputs") {
		if output := object(o); e.holds(output) {
			e.at = ""
			e.stack.Outputs[id] = e.value(output["Value"])
		}
	}
	return nil
}

func (e *evaluator) resource(id string) {
	raw := object(e.section("Resources")[id])
	if !e.holds(raw) {
		return
	}
	e.at = id
	r := &Resource{Stack: e.stack.Name, LogicalID: id, Type: text(raw["Type"]), ID: e.id(id)}
	r.Properties, _ = e.value(raw["Properties"]).(Object)
	if r.Properties == nil {
		r.Properties = Object{}
	}
	r.DeletionPolicy, r.UpdateReplacePolicy = text(raw["DeletionPolicy"]), text(raw["UpdateReplacePolicy"])
	e.dependsOn(raw["DependsOn"])
	e.stack.Resources[id] = r
	if r.Type == stackType && !e.keep {
		e.nested(id)
	}
}

func (e *evaluator) dependsOn(v any) {
	if s, ok := v.(string); ok {
		v = []any{s}
	}
	list, _ := v.([]any)
	for _, d := range list {
		e.depend(text(d))
	}
}

// refuseCycles: CloudFormation makes a resource after all that it names.
func (e *evaluator) refuseCycles() {
	state := map[string]int{} // 1 under way, 2 done
	var visit func(id string, way []string)
	visit = func(id string, way []string) {
		way = append(way, id)
		if state[id] == 1 {
			fail(ErrCycle, "%s", strings.Join(way, " → "))
		}
		if state[id] == 2 {
			return
		}
		state[id] = 1
		for _, next := range slices.Sorted(maps.Keys(e.edges[id])) {
			visit(next, way)
		}
		state[id] = 2
	}
	for _, id := range slices.Sorted(maps.Keys(e.edges)) {
		visit(id, nil)
	}
}

// holds: the item has no condition, or a true one.
func (e *evaluator) holds(item Object) bool {
	name, ok := item["Condition"].(string)
	return !ok || e.condition(name)
}
