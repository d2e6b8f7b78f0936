// Package changeset judges a change set of CloudFormation before it is executed:
// whether it takes away or replaces what cannot be made again.
package changeset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrInput is text that is no description of a change set.
var ErrInput = errors.New("not the output of aws cloudformation describe-change-set --output json")

// precious are the kinds of which there must never be a second one in place of
// the first: people, and what ties their tokens and logs to them. A queue that
// is replaced loses the sign-ins in it.
var precious = map[string]bool{
	"AWS::Cognito::UserPool": true, "AWS::Cognito::UserPoolDomain": true, "AWS::Cognito::UserPoolIdentityProvider": true,
	"AWS::Cognito::UserPoolClient": true, "AWS::Cognito::UserPoolGroup": true, "AWS::KMS::Key": true, "AWS::SQS::Queue": true,
	"AWS::CloudFormation::Stack": true,
}

// Report is the judgement.
type Report struct {
	// Refused are sentences, one for each change that must not be made.
	Refused []string
	// Nested are the change sets below this one, which have to be judged too.
	Nested []string
}

type description struct {
	StackName *string
	NextToken string
	Changes   []struct {
		ResourceChange struct {
			Action, LogicalResourceId, ResourceType, Replacement, ChangeSetId string //nolint:revive // AWS's names
			PolicyAction                                                      string
		}
	}
}

// Judge reads what aws cloudformation describe-change-set prints. A kind of
// change that it does not know is refused.
func Judge(r io.Reader) (Report, error) {
	var d description
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if d.StackName == nil {
		return Report{}, ErrInput
	}
	if d.NextToken != "" {
		return Report{}, fmt.Errorf("%w: it is one page of several", ErrInput)
	}
	var out Report
	for _, c := range d.Changes {
		r := c.ResourceChange
		if r.ChangeSetId != "" {
			out.Nested = append(out.Nested, r.ChangeSetId)
		}
		if why := refuse(r.Action, r.Replacement, r.PolicyAction); precious[r.ResourceType] && why != "" {
			out.Refused = append(out.Refused, fmt.Sprintf("%s %s: %s", r.ResourceType, r.LogicalResourceId, why))
		}
	}
	return out, nil
}

// refuse says why, or "". CloudFormation says Conditional if it does not know
// before it tries.
func refuse(action, replacement, policy string) string {
	switch {
	case action == "Add", action == "Import":
		return ""
	case action == "Remove":
		return "it would leave the stack" + map[string]string{"Retain": ", and stay without anybody's care"}[policy]
	case action != "Modify":
		return "nobody knows what " + action + " does"
	case replacement == "True", replacement == "Conditional":
		return "it would be replaced, or might be (" + replacement + ")"
	case replacement != "False":
		return "nobody knows whether it would be replaced"
	}
	return ""
}
