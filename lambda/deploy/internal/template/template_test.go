package template_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

var seoul = template.Where{Account: "111122223333", Region: "ap-northeast-2"}

func parse(t *testing.T, text string) template.Object {
	t.Helper()
	o, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// output is what a value comes to in a template with a queue, a list and a
// condition of each kind.
func output(t *testing.T, value string) (any, error) {
	t.Helper()
	text := `
Parameters:
  Name: {Type: String, Default: sso}
  List: {Type: CommaDelimitedList, Default: "a, b,c"}
  Number: {Type: Number, Default: 5}
Mappings:
  Ports: {postgres: {Port: 5432}}
Conditions:
  Yes: !Equals [!Ref Name, sso]
  No: !Not [!Condition Yes]
Resources:
  Queue: {Type: "AWS::SQS::Queue", Properties: {QueueName: !Sub "${Name}-q"}}
  Absent: {Type: "AWS::SQS::Queue", Condition: No}
Outputs:
  Out:
    Value: ` + value
	s, err := template.Evaluate(template.Set{"x": parse(t, text)}, "x", nil, seoul)
	if err != nil {
		return nil, err
	}
	return s.Outputs["Out"], nil
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	const url, arn = "https://sqs.ap-northeast-2.amazonaws.com/111122223333/sso-q", "arn:aws:sqs:ap-northeast-2:111122223333:sso-q"
	for _, row := range []struct {
		value string
		want  any
	}{
		{`!Ref Queue`, url},
		{`!GetAtt Queue.Arn`, arn},
		{`!GetAtt [Queue, Arn]`, arn},
		{`!Sub "${AWS::Region} ${Queue.Arn} ${!kept}"`, "ap-northeast-2 " + arn + " ${kept}"},
		{`!Sub ["${A}-${Name}", {A: !Ref List2}]`, template.ErrTemplate},
		{`!Sub ["${A}-${Name}", {A: 1}]`, "1-sso"},
		{`!Join ["+", !Ref List]`, "a+b+c"},
		{`!Select [1, !Split [":", "x:y"]]`, "y"},
		{`!Select [3, !Ref List]`, template.ErrTemplate},
		{`!If [Yes, 1, !Ref Absent]`, 1},
		{`!If [No, 1, {a: !Ref "AWS::NoValue", b: [!Ref "AWS::NoValue", 2]}]`, template.Object{"b": []any{2}}},
		{`!FindInMap [Ports, postgres, Port]`, 5432},
		{`!Select [2, !Cidr [10.0.0.0/24, 4, 5]]`, "10.0.0.64/27"},
		{`!Cidr [10.0.0.0/24, 9, 5]`, template.ErrTemplate},
		{`!Select [1, !GetAZs ""]`, "ap-northeast-2b"},
		{`!Ref Absent`, template.ErrTemplate},
		{`!Ref Nothing`, template.ErrTemplate},
		{`!If [Maybe, 1, 2]`, template.ErrTemplate},
		{`!Base64 x`, template.ErrTemplate},
		{`!ImportValue x`, template.ErrTemplate},
	} {
		t.Run(row.value, func(t *testing.T) {
			t.Parallel()
			got, err := output(t, row.value)
			if wrong, ok := row.want.(error); ok {
				if !errors.Is(err, wrong) {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%#v, %v, want %#v", got, err, row.want)
			}
		})
	}
}

const small = `
Parameters:
  Port: {Type: Number, MinValue: 1, MaxValue: 65535}
  Mode: {Type: String, Default: a, AllowedValues: [a, b]}
  Account: {Type: String, Default: "", AllowedPattern: "|\\d{12}"}
Rules:
  Pair:
    RuleCondition: !Equals [!Ref Mode, b]
    Assertions: [{Assert: !Not [!Equals [!Ref Account, ""]], AssertDescription: b needs Account}]
Resources: {}
`

func TestParameters(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		given map[string]string
		want  error
	}{
		{"all right", map[string]string{"Port": "5432"}, nil},
		{"a pair", map[string]string{"Port": "1", "Mode": "b", "Account": "111122223333"}, nil},
		{"missing", nil, template.ErrParameter},
		{"unknown", map[string]string{"Port": "1", "Prot": "2"}, template.ErrParameter},
		{"no number", map[string]string{"Port": "x"}, template.ErrParameter},
		{"too small", map[string]string{"Port": "0"}, template.ErrParameter},
		{"too large", map[string]string{"Port": "65536"}, template.ErrParameter},
		{"not allowed", map[string]string{"Port": "1", "Mode": "c"}, template.ErrParameter},
		{"a part that is of the form", map[string]string{"Port": "1", "Account": "1111222233334"}, template.ErrParameter},
		{"against a rule", map[string]string{"Port": "1", "Mode": "b"}, template.ErrRule},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if _, err := template.Evaluate(template.Set{"x": parse(t, small)}, "x", row.given, seoul); !errors.Is(err, row.want) {
				t.Errorf("error = %v, want %v", err, row.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text string }{
		{"no YAML", "a: ["},
		{"no mapping", "- a"},
		{"nothing", ""},
		{"a key twice", "a: 1\na: 2"},
		{"an alias", "a: &x 1\nb: *x"},
	} {
		if _, err := template.Parse([]byte(row.text)); !errors.Is(err, template.ErrTemplate) {
			t.Errorf("%s: error = %v", row.name, err)
		}
	}
	if _, err := template.Load(t.TempDir()); !errors.Is(err, template.ErrTemplate) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := template.Evaluate(template.Set{}, "x", nil, seoul); !errors.Is(err, template.ErrTemplate) {
		t.Errorf("no template: %v", err)
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		set  map[string]string
		want error
	}{
		{"a row", map[string]string{"x": "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, DependsOn: [C]}, C: {Type: T}}"}, nil},
		{"by DependsOn", map[string]string{"x": "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, DependsOn: A}}"}, template.ErrCycle},
		{"by a reference and Sub", map[string]string{"x": `Resources: {A: {Type: T, Properties: {P: !Ref B}}, B: {Type: T, Properties: {P: !Sub "${A}"}}}`}, template.ErrCycle},
		{"of itself", map[string]string{"x": "Resources: {A: {Type: T, Properties: {P: !Ref A}}}"}, template.ErrCycle},
		{"of stacks", map[string]string{
			"x": `
Resources:
  A: {Type: "AWS::CloudFormation::Stack", Properties: {TemplateURL: y.yaml, Parameters: {P: !GetAtt B.Outputs.O}}}
  B: {Type: "AWS::CloudFormation::Stack", Properties: {TemplateURL: y.yaml, Parameters: {P: !GetAtt A.Outputs.O}}}`,
			"y": "Parameters: {P: {Type: String}}\nOutputs: {O: {Value: !Ref P}}",
		}, template.ErrCycle},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			set := template.Set{}
			for name, text := range row.set {
				set[name] = parse(t, text)
			}
			if _, err := template.Evaluate(set, "x", nil, seoul); !errors.Is(err, row.want) {
				t.Errorf("error = %v, want %v", err, row.want)
			}
		})
	}
}

// A flat template has no parameter and no condition, and the references between
// its resources.
func TestFlatten(t *testing.T) {
	t.Parallel()
	set := template.Set{"x": parse(t, `
Parameters: {Name: {Type: String, Default: n}}
Conditions: {No: !Equals [!Ref Name, x]}
Resources:
  Queue: {Type: "AWS::SQS::Queue", DeletionPolicy: Retain, Properties: {QueueName: !Ref Name}}
  Gone: {Type: "AWS::SQS::Queue", Condition: No}
  Policy: {Type: T, Properties: {Queues: [!Ref Queue], Text: !Sub "${Name} ${Queue.Arn}", Not: !If [No, 1, !Ref "AWS::NoValue"]}}
`)}
	s, err := template.Evaluate(set, "x", nil, seoul)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := template.Flatten(set, s)
	want := template.Object{
		"Queue": template.Object{"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "Properties": template.Object{"QueueName": "n"}},
		"Policy": template.Object{"Type": "T", "Properties": template.Object{
			"Queues": []any{template.Object{"Ref": "Queue"}},
			"Text":   template.Object{"Fn::Join": []any{"", []any{"", "n", " ", template.Object{"Fn::GetAtt": []any{"Queue", "Arn"}}, ""}}},
		}},
	}
	if err != nil || !reflect.DeepEqual(flat["Resources"], want) {
		t.Errorf("%#v, %v", flat["Resources"], err)
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	set := template.Set{"x": parse(t, "Resources: {A: {Type: T, Properties: {L: [1]}}}")}
	copied := set.Clone()
	copied["x"]["Resources"].(template.Object)["A"].(template.Object)["Properties"].(template.Object)["L"].([]any)[0] = 2
	if got := set["x"]["Resources"].(template.Object)["A"].(template.Object)["Properties"].(template.Object)["L"].([]any)[0]; got != 1 {
		t.Errorf("the original has %v", got)
	}
}
