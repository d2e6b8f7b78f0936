package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	triggerWait   = 5 // seconds that Cognito waits
	triggerMemory = 256
)

func (r *run) checkTriggers(ctx context.Context) {
	var functions []string
	for _, t := range r.triggers() {
		if t.arn == "" {
			r.add(TriggerMissing, t.name, "No function is attached.")
		} else if !slices.Contains(functions, t.arn) {
			functions = append(functions, t.arn)
		}
	}
	r.checkTokenVersion()
	if r.Lambda == nil {
		r.leaveOut(Triggers, "the functions behind them, without a client of Lambda")
		return
	}
	r.more(2 * len(functions))
	for _, arn := range functions {
		r.checkFunction(ctx, arn)
	}
}

// trigger is one that this system needs.
type trigger struct{ name, arn string }

func (r *run) triggers() []trigger {
	c := r.pool.LambdaConfig
	if c == nil {
		c = &types.LambdaConfigType{}
	}
	return []trigger{
		{"PreSignUp", aws.ToString(c.PreSignUp)},
		{"PostConfirmation", aws.ToString(c.PostConfirmation)},
		{"PostAuthentication", aws.ToString(c.PostAuthentication)},
		{"PreTokenGeneration", r.tokenFunction()},
	}
}

func (r *run) tokenFunction() string {
	c := r.pool.LambdaConfig
	switch {
	case c == nil:
		return ""
	case c.PreTokenGenerationConfig != nil && c.PreTokenGenerationConfig.LambdaArn != nil:
		return *c.PreTokenGenerationConfig.LambdaArn
	}
	return aws.ToString(c.PreTokenGeneration)
}

// tokenVersion is that of the token trigger, "" if there is none. The older
// setting knows the first only.
func (r *run) tokenVersion() types.PreTokenGenerationLambdaVersionType {
	if r.tokenFunction() == "" {
		return ""
	}
	if c := r.pool.LambdaConfig.PreTokenGenerationConfig; c != nil && c.LambdaVersion != "" {
		return c.LambdaVersion
	}
	return types.PreTokenGenerationLambdaVersionTypeV10
}

// checkTokenVersion leaves Lite to PlanTooLow: there a later version is not to
// be had.
func (r *run) checkTokenVersion() {
	if !r.IDTokenOnly && r.pool.UserPoolTier != types.UserPoolTierTypeLite && r.tokenVersion() == types.PreTokenGenerationLambdaVersionTypeV10 {
		r.add(TokenVersion, "PreTokenGeneration", "It has version V1_0, and the claim is wanted in access tokens.")
	}
}

func (r *run) checkFunction(ctx context.Context, arn string) {
	name := functionName(arn)
	r.doing("GetFunctionConfiguration")
	config, err := r.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &arn})
	if err != nil && notFound(err) {
		r.add(FunctionMissing, name, "There is no such function.")
		return
	}
	if r.answered(Triggers, "GetFunctionConfiguration", name, err) {
		r.report.Functions++
		r.checkRunning(name, config)
	}
	r.doing("GetPolicy")
	policy, err := r.Lambda.GetPolicy(ctx, policyInput(arn))
	if err != nil && notFound(err) { // a function without a policy
		r.checkPermission(arn, "")
		return
	}
	if r.answered(Triggers, "GetPolicy", name, err) {
		r.checkPermission(arn, aws.ToString(policy.Policy))
	}
}

func (r *run) checkRunning(name string, c *lambda.GetFunctionConfigurationOutput) {
	switch {
	case c.State == lambdatypes.StateInactive || c.State == lambdatypes.StateFailed:
		r.add(FunctionNotReady, name, fmt.Sprintf("Its state is %s.", c.State))
	case c.LastUpdateStatus == lambdatypes.LastUpdateStatusFailed:
		r.add(FunctionNotReady, name, "Its last update failed.")
	}
	if timeout := aws.ToInt32(c.Timeout); timeout >= triggerWait {
		r.add(FunctionTimeout, name, fmt.Sprintf("Its timeout is %d s.", timeout),
			fmt.Sprintf("aws lambda update-function-configuration --region %s --function-name %s --timeout 4", r.region(), name))
	}
	if memory := aws.ToInt32(c.MemorySize); memory < triggerMemory {
		r.add(FunctionMemory, name, fmt.Sprintf("It has %d MB.", memory),
			fmt.Sprintf("aws lambda update-function-configuration --region %s --function-name %s --memory-size 512", r.region(), name))
	}
}

// functionName is the name in an ARN, without an alias.
func functionName(arn string) string {
	name, _ := splitFunction(arn)
	return name
}

// splitFunction takes arn:aws:lambda:region:account:function:name[:alias] apart.
func splitFunction(arn string) (name, alias string) {
	parts := strings.Split(arn, ":")
	switch {
	case len(parts) < 7:
		return arn, ""
	case len(parts) == 7:
		return parts[6], ""
	}
	return parts[6], parts[7]
}

// policyInput asks for the policy of an alias if there is one: each has its
// own.
func policyInput(arn string) *lambda.GetPolicyInput {
	_, alias := splitFunction(arn)
	if alias == "" {
		return &lambda.GetPolicyInput{FunctionName: &arn}
	}
	plain := strings.TrimSuffix(arn, ":"+alias)
	return &lambda.GetPolicyInput{FunctionName: &plain, Qualifier: &alias}
}
