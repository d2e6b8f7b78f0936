package template

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Errors of this package.
var (
	// ErrTemplate is one that cannot be read, or uses what this package or
	// CloudFormation does not know.
	ErrTemplate = errors.New("template")
	// ErrParameter is a value that a template does not take.
	ErrParameter = errors.New("parameter")
	// ErrRule is a combination of values that a template's Rules refuse.
	ErrRule = errors.New("rule")
	// ErrCycle is resources or stacks that wait for each other.
	ErrCycle = errors.New("circular dependency")
)

// Object is a mapping, as JSON has it.
type Object = map[string]any

// Set is templates by name: that of their file, without .yaml. Functions are in
// their long form: {"Ref": …}, {"Fn::Sub": …}.
type Set map[string]Object

// Load reads every *.yaml of a folder.
func Load(dir string) (Set, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: none in %s", ErrTemplate, dir)
	}
	set := Set{}
	for _, path := range paths {
		raw, err := os.ReadFile(path) //nolint:gosec // the caller names the folder
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		if set[name], err = Parse(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return set, nil
}

// Parse reads one template. A key that is there twice is an error.
func Parse(raw []byte) (Object, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("%w: not one document", ErrTemplate)
	}
	v, err := decode(doc.Content[0])
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, fmt.Errorf("%w: not a mapping", ErrTemplate)
	}
	return o, nil
}

// Clone is a copy that can be changed.
func (s Set) Clone() Set {
	out := Set{}
	for name, t := range s {
		out[name], _ = clone(t).(Object)
	}
	return out
}

func clone(v any) any {
	switch v := v.(type) {
	case Object:
		out := Object{}
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

func decode(n *yaml.Node) (any, error) {
	v, err := decodePlain(n)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return v, err
	}
	switch name := n.Tag[1:]; name {
	case "Ref", "Condition":
		return Object{name: v}, nil
	case "GetAtt":
		if s, ok := v.(string); ok {
			resource, attribute, _ := strings.Cut(s, ".")
			v = []any{resource, attribute}
		}
		return Object{"Fn::GetAtt": v}, nil
	default:
		return Object{"Fn::" + name: v}, nil
	}
}

func decodePlain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return decodeMapping(n)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if out[i], err = decode(c); err != nil {
				return nil, err
			}
		}
		return out, nil
	case yaml.ScalarNode:
		if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
			return n.Value, nil // of a function: always text
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTemplate, n.Line, err)
		}
		return v, nil
	default:
		return nil, fmt.Errorf("%w: line %d: an alias or nothing", ErrTemplate, n.Line)
	}
}

func decodeMapping(n *yaml.Node) (any, error) {
	out := Object{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%w: line %d: %q is there twice", ErrTemplate, n.Content[i].Line, key)
		}
		v, err := decode(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}
