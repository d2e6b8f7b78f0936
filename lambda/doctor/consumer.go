package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (r *run) checkConsumer(ctx context.Context, name string, queue attributes) {
	mappings, ok := r.listMappings(ctx, name, arnOf(queue))
	if !ok {
		return
	}
	if len(mappings) == 0 {
		r.add(ConsumerMissing, name, "No function reads it.")
		return
	}
	for _, m := range mappings {
		r.checkMappingOf(m)
		r.checkVisibility(ctx, name, queue, m)
	}
}

func (r *run) listMappings(ctx context.Context, name, arn string) (all []lambdatypes.EventSourceMappingConfiguration, ok bool) {
	pages := lambda.NewListEventSourceMappingsPaginator(r.Lambda, &lambda.ListEventSourceMappingsInput{EventSourceArn: &arn})
	for pages.HasMorePages() {
		r.doing("ListEventSourceMappings")
		out, err := pages.NextPage(ctx)
		if !r.answered(Queue, "ListEventSourceMappings", name, err) {
			return nil, false
		}
		all = append(all, out.EventSourceMappings...)
	}
	return all, true
}

func (r *run) checkMappingOf(m lambdatypes.EventSourceMappingConfiguration) {
	name := functionName(aws.ToString(m.FunctionArn))
	update := func(change string) string {
		return fmt.Sprintf("aws lambda update-event-source-mapping --region %s --uuid %s %s", r.region(), aws.ToString(m.UUID), change)
	}
	switch aws.ToString(m.State) {
	case "Disabled", "Disabling":
		r.add(ConsumerDisabled, name, fmt.Sprintf("The state of the mapping is %s.", *m.State), update("--enabled"))
	}
	if !slices.Contains(m.FunctionResponseTypes, lambdatypes.FunctionResponseTypeReportBatchItemFailures) {
		r.add(ConsumerWholeBatch, name, "The mapping does not report failures of single messages.", update("--function-response-types ReportBatchItemFailures"))
	}
	if m.ScalingConfig == nil || aws.ToInt32(m.ScalingConfig.MaximumConcurrency) == 0 {
		r.add(ConsumerConcurrency, name, "The mapping has no maximum concurrency.", update("--scaling-config MaximumConcurrency=2"))
	}
}

// checkVisibility needs the timeout of the function that reads.
func (r *run) checkVisibility(ctx context.Context, queueName string, queue attributes, m lambdatypes.EventSourceMappingConfiguration) {
	name := functionName(aws.ToString(m.FunctionArn))
	r.more(1)
	r.doing("GetFunctionConfiguration")
	c, err := r.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: m.FunctionArn})
	if !r.answered(Queue, "GetFunctionConfiguration", name, err) {
		return
	}
	r.report.Functions++
	timeout, window := int(aws.ToInt32(c.Timeout)), int(aws.ToInt32(m.MaximumBatchingWindowInSeconds))
	is, least := queue.number(types.QueueAttributeNameVisibilityTimeout), 6*timeout+window
	if is < least {
		r.add(QueueVisibility, queueName, fmt.Sprintf("Its visibility timeout is %d s; six times the %d s of %s and the window of %d s are %d s.", is, timeout, name, window, least),
			r.setQueue(fmt.Sprintf("VisibilityTimeout=%d", least)))
	}
}
