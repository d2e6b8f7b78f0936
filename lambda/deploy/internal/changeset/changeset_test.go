package changeset_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/changeset"
)

func one(kind, rest string) string {
	return fmt.Sprintf(`{"StackName":"sso","Changes":[{"Type":"Resource","ResourceChange":{"LogicalResourceId":"X","ResourceType":%q,%s}}]}`, kind, rest)
}

const pool = "AWS::Cognito::UserPool"

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, in string
		refused  bool
	}{
		{"nothing", `{"StackName":"sso","Changes":[]}`, false},
		{"a new pool", one(pool, `"Action":"Add"`), false},
		{"an imported pool", one(pool, `"Action":"Import"`), false},
		{"a pool changed in place", one(pool, `"Action":"Modify","Replacement":"False"`), false},
		{"a role replaced", one("AWS::IAM::Role", `"Action":"Modify","Replacement":"True"`), false},
		{"a pool replaced", one(pool, `"Action":"Modify","Replacement":"True"`), true},
		{"a pool perhaps replaced", one(pool, `"Action":"Modify","Replacement":"Conditional"`), true},
		{"nobody says whether", one(pool, `"Action":"Modify"`), true},
		{"a pool removed", one(pool, `"Action":"Remove"`), true},
		{"a pool removed and kept", one(pool, `"Action":"Remove","PolicyAction":"Retain"`), true},
		{"something new", one(pool, `"Action":"Dynamic"`), true},
		{"a client replaced", one("AWS::Cognito::UserPoolClient", `"Action":"Modify","Replacement":"True"`), true},
		{"a provider removed", one("AWS::Cognito::UserPoolIdentityProvider", `"Action":"Remove"`), true},
		{"the queue replaced", one("AWS::SQS::Queue", `"Action":"Modify","Replacement":"True"`), true},
		{"a stack removed", one("AWS::CloudFormation::Stack", `"Action":"Remove"`), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, err := changeset.Judge(strings.NewReader(row.in))
			if err != nil || (len(r.Refused) > 0) != row.refused {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestJudgeNested(t *testing.T) {
	t.Parallel()
	r, err := changeset.Judge(strings.NewReader(one("AWS::CloudFormation::Stack", `"Action":"Modify","Replacement":"False","ChangeSetId":"arn:below"`)))
	if err != nil || len(r.Refused) != 0 || len(r.Nested) != 1 || r.Nested[0] != "arn:below" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestJudgeWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "[]", "{}", `{"Changes":[]}`, "An error occurred", `{"StackName":"sso","NextToken":"x","Changes":[]}`} {
		if _, err := changeset.Judge(strings.NewReader(in)); !errors.Is(err, changeset.ErrInput) {
			t.Errorf("%q: error = %v", in, err)
		}
	}
}
