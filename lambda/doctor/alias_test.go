package doctor_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
)

// aliased knows one function by an alias only, with a policy of the alias's
// own: Lambda keeps one for each.
type aliased struct {
	doctor.Lambda
	t *testing.T
}

const plainARN = "arn:aws:lambda:ap-northeast-2:000000000000:function:PreSignUp"

func (a aliased) GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationInput, o ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	switch *in.FunctionName {
	case plainARN + ":live":
		in = &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(plainARN)}
	case plainARN:
		a.t.Error("the alias is left out")
	}
	return a.Lambda.GetFunctionConfiguration(ctx, in, o...)
}

func (a aliased) GetPolicy(ctx context.Context, in *lambda.GetPolicyInput, o ...func(*lambda.Options)) (*lambda.GetPolicyOutput, error) {
	if *in.FunctionName == plainARN {
		if aws.ToString(in.Qualifier) != "live" {
			a.t.Errorf("the policy of %q is asked for", aws.ToString(in.Qualifier))
		}
		in = &lambda.GetPolicyInput{FunctionName: in.FunctionName}
	}
	return a.Lambda.GetPolicy(ctx, in, o...)
}

// A trigger may be an alias of a function.
func TestAlias(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ofPool(func(p object) { in(p, "LambdaConfig")["PreSignUp"] = plainARN + ":live" }))
	w.cfg.Lambda = aliased{w.cfg.Lambda, t}
	want(t, w.run(t))
}
