package doctor

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Policy is the least that whoever runs a doctor must be allowed, as an IAM
// policy: for the checks that cfg asks for. Account and names of functions are
// not known before, so they are *; narrow them if you like.
//
// Two of the calls are answered with client secrets, which AWS cannot leave
// out: DescribeUserPoolClient and DescribeIdentityProvider. Who may run the
// doctor may read those.
func Policy(cfg Config) (string, error) {
	cfg = cfg.withDefaults()
	region := cfg.region()
	arn := func(service, resource string) string {
		return fmt.Sprintf("arn:%s:%s:%s:*:%s", partition(region), service, region, resource)
	}
	pool := allow{"Pool", poolActions, []string{arn("cognito-idp", "userpool/"+cfg.UserPoolID)}}
	if cfg.Database != nil {
		pool.actions = append(pool.actions[:len(pool.actions):len(pool.actions)], sampleActions...)
	}
	// A domain is asked for by its name, which no ARN has.
	statements := []allow{pool, {"Domain", []string{"cognito-idp:DescribeUserPoolDomain"}, []string{"*"}}}
	if cfg.Lambda != nil {
		statements = append(statements, allow{"Functions", functionActions, []string{arn("lambda", "function:*")}})
	}
	if cfg.QueueURL != "" {
		name := cfg.QueueURL[strings.LastIndexByte(cfg.QueueURL, '/')+1:]
		statements = append(statements, allow{"Queue", queueActions, []string{arn("sqs", name), arn("sqs", name+"-dead")}})
		if cfg.Lambda != nil { // a list has no resource
			statements = append(statements, allow{"Consumer", []string{"lambda:ListEventSourceMappings"}, []string{"*"}})
		}
	}
	text, err := json.MarshalIndent(document(statements), "", "  ")
	return string(text) + "\n", err
}

var (
	poolActions = []string{
		"cognito-idp:DescribeUserPool", "cognito-idp:ListUserPoolClients", "cognito-idp:DescribeUserPoolClient",
		"cognito-idp:ListIdentityProviders", "cognito-idp:DescribeIdentityProvider",
		"cognito-idp:DescribeManagedLoginBrandingByClient",
	}
	sampleActions   = []string{"cognito-idp:ListUsers"}
	functionActions = []string{"lambda:GetFunctionConfiguration", "lambda:GetPolicy"}
	queueActions    = []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
)

// allow is a statement.
type allow struct {
	sid                string
	actions, resources []string
}

func document(statements []allow) any {
	type written struct {
		Sid, Effect      string
		Action, Resource []string
	}
	all := make([]written, len(statements))
	for i, s := range statements {
		all[i] = written{s.sid, "Allow", s.actions, s.resources}
	}
	return struct {
		Version   string
		Statement []written
	}{"2012-10-17", all}
}

// partition is the part of AWS that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
