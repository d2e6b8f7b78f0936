package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// The exit status is what a script goes by. Every row runs in the module's
// root, where the templates are.
func TestRun(t *testing.T) { //nolint:paralleltest // it changes the folder
	t.Chdir(filepath.Join("..", "..", ".."))
	replaced := `{"StackName":"sso","Changes":[{"ResourceChange":{"Action":"Modify","Replacement":"True","ResourceType":"AWS::Cognito::UserPool","LogicalResourceId":"UserPool"}}]}`
	nested := `{"StackName":"sso","Changes":[{"ResourceChange":{"Action":"Add","ResourceType":"AWS::CloudFormation::Stack","LogicalResourceId":"Queue","ChangeSetId":"arn:below"}}]}`
	for _, row := range []struct {
		name, args, in string
		want           int
		says           string
	}{
		{"a change set", "changeset", `{"StackName":"sso","Changes":[]}`, 0, ""},
		{"one below", "changeset", nested, 0, "judge this one too: arn:below"},
		{"a replaced pool", "changeset", replaced, 1, "AWS::Cognito::UserPool UserPool"},
		{"no change set", "changeset", "nothing", 2, "describe-change-set"},
		{"nothing given", "parameters", "[]", 1, "required"},
		{"no parameters", "parameters", "{}", 2, "ParameterKey"},
		{"no network", "parameters 10.20", "[]", 2, "usage"},
		{"no command", "", "", 2, "usage"},
		{"another command", "deploy", "", 2, "usage"},
		{"too much", "changeset now", "", 2, "usage"},
	} {
		var out bytes.Buffer
		if got := run(strings.Fields(row.args), strings.NewReader(row.in), &out, &out); got != row.want || !strings.Contains(out.String(), row.says) {
			t.Errorf("%s: %d, %q", row.name, got, out.String())
		}
	}
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	if got := run([]string{"parameters"}, strings.NewReader("[]"), &out, &out); got != 2 {
		t.Errorf("elsewhere: %d, %q", got, out.String())
	}
}
