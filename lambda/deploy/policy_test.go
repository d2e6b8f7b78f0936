package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/policy"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	policies(t, &counts{})
}

func policies(t *testing.T, c *counts) {
	f, set := load(t)
	found := policy.Run(f, set, operations(t))
	for _, finding := range found {
		if !strings.HasPrefix(finding.Check, "reach-") {
			c.wrong(t, "%s: %s: %s", finding.Variant, finding.Check, finding.Text)
		}
	}
}

// What the programs can call is the half of least-privilege that no template
// says, so it is written down here once: a new call must be seen.
func TestOperations(t *testing.T) {
	t.Parallel()
	database := []string{"rds/auth.BuildAuthToken", "secretsmanager.GetSecretValue"}
	got := operations(t)
	for program, want := range map[string][]string{
		"trigger": append([]string{"cognitoidentityprovider.AdminUpdateUserAttributes", "lambda.Invoke", "sqs.SendMessage"}, database...),
		"dbsync":  database,
		"signins": database,
	} {
		slices.Sort(want)
		if !slices.Equal(got[program], want) {
			t.Errorf("sso-%s can call %v, not %v", program, got[program], want)
		}
	}
}

// Every role must lack a right, and have one too many, as soon as its program
// changes and its policy does not.
func TestPrivilegesFollowThePrograms(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	all := operations(t)
	for program, calls := range all {
		for _, call := range calls {
			fewer := policy.Calls{}
			for p, c := range all {
				fewer[p] = slices.Clone(c)
			}
			fewer[program] = slices.DeleteFunc(fewer[program], func(c string) bool { return c == call })
			if !finds(policy.Run(f, set, fewer), "least-privilege") {
				t.Errorf("sso-%s without %s: nobody sees that its role still has the right", program, call)
			}
		}
		more := policy.Calls{}
		for p, c := range all {
			more[p] = c
		}
		more[program] = append(slices.Clone(calls), "cognitoidentityprovider.ListUsers")
		if !finds(policy.Run(f, set, more), "least-privilege") {
			t.Errorf("sso-%s with one more call: nobody sees that its role lacks the right", program)
		}
	}
}

func finds(found []policy.Finding, check string) bool {
	return slices.ContainsFunc(found, func(f policy.Finding) bool { return f.Check == check })
}
