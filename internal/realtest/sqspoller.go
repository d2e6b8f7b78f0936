package realtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// Poller does for a queue what Lambda's event source mapping does with
// ReportBatchItemFailures: it receives a batch, invokes the function with it,
// and deletes what the function did not report. The rest comes again after the
// visibility timeout. It is safe for concurrent use; Lambda has several too.
type Poller struct {
	// Queue that it reads. Required.
	Queue *Queue
	// Invoke calls the function. Its error means that the function failed.
	// Required. See [InvokeRuntime] for a real binary.
	Invoke func(ctx context.Context, event json.RawMessage) (json.RawMessage, error)
	// BatchSize is how many messages there may be in an event. Defaults to 10.
	BatchSize int
	// Wait is how long to wait for the first message. Defaults to 0.
	Wait time.Duration
	// BeforeDelete is called, if set, between the answer of the function and
	// the deletes. An error ends the poll there, as a crash of Lambda would.
	BeforeDelete func() error
}

// PollReport says what became of one batch.
type PollReport struct {
	Received, Deleted int
	// Failed is why the whole batch failed; nil if it did not.
	Failed error
}

// InvokeRuntime invokes the function of a [lambdaruntime.Runtime].
func InvokeRuntime(r *lambdaruntime.Runtime) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	return func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		answer, err := r.Invoke(ctx, event)
		if err == nil && answer.FunctionError != "" {
			err = fmt.Errorf("function error %s: %s", answer.FunctionError, answer.Payload)
		}
		return answer.Payload, err
	}
}

// Drain polls until the queue has given nothing for as long as idle, or ctx
// ends, and returns the sum of what it did.
func (p *Poller) Drain(ctx context.Context, idle time.Duration) (PollReport, error) {
	var sum PollReport
	last := time.Now()
	for time.Since(last) < idle {
		r, err := p.Poll(ctx)
		sum.Received += r.Received
		sum.Deleted += r.Deleted
		sum.Failed = errors.Join(sum.Failed, r.Failed)
		if err != nil {
			return sum, err
		}
		if r.Received > 0 {
			last = time.Now()
		}
	}
	return sum, nil
}

// Poll handles one batch. Its error is that of the queue or of BeforeDelete;
// a failed function is in the report.
func (p *Poller) Poll(ctx context.Context) (PollReport, error) {
	messages, err := p.receive(ctx)
	if err != nil || len(messages) == 0 {
		return PollReport{}, err
	}
	report := PollReport{Received: len(messages)}
	event, err := p.event(messages)
	if err != nil {
		return report, err
	}
	answer, err := p.Invoke(ctx, event)
	var failed map[string]bool
	if err == nil {
		failed, err = itemFailures(answer, messages)
	}
	if err != nil {
		report.Failed = err
		return report, nil
	}
	if p.BeforeDelete != nil {
		if err := p.BeforeDelete(); err != nil {
			return report, err
		}
	}
	report.Deleted, err = p.delete(ctx, messages, failed)
	return report, err
}

// maxEvent bounds an event as Lambda does; the rest of 6 MB is for what is
// beside the bodies.
const maxEvent = 5 << 20

func (p *Poller) receive(ctx context.Context) ([]types.Message, error) {
	want, size := p.BatchSize, 0
	if want == 0 {
		want = 10
	}
	wait := p.Wait
	var all []types.Message
	for len(all) < want && size < maxEvent {
		got, err := p.Queue.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &p.Queue.URL, MaxNumberOfMessages: int32(min(10, want-len(all))), //nolint:gosec // at most 10
			WaitTimeSeconds:             int32(wait.Seconds()),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		})
		if err != nil {
			return nil, err // what was received comes again
		}
		if len(got.Messages) == 0 {
			break
		}
		all, wait = append(all, got.Messages...), 0
		for _, m := range got.Messages {
			size += len(aws.ToString(m.Body))
		}
	}
	return all, nil
}

func (p *Poller) event(messages []types.Message) (json.RawMessage, error) {
	var e events.SQSEvent
	for _, m := range messages {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
			Md5OfBody: aws.ToString(m.MD5OfBody), Attributes: m.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource: "aws:sqs", EventSourceARN: p.Queue.ARN, AWSRegion: Region,
		})
	}
	return json.Marshal(e)
}

// itemFailures reads the function's answer as Lambda does. An error is what
// makes it give the whole batch back.
func itemFailures(answer json.RawMessage, messages []types.Message) (map[string]bool, error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil, nil // no answer: all is well
	}
	// Maps, since Lambda tells the case of names apart and structs do not.
	var response map[string]json.RawMessage
	var failures []map[string]json.RawMessage
	err := json.Unmarshal(answer, &response)
	if list, ok := response["batchItemFailures"]; ok && err == nil {
		err = json.Unmarshal(list, &failures)
	}
	if err != nil {
		return nil, fmt.Errorf("the answer is not the expected JSON: %w", err)
	}
	known := map[string]bool{}
	for _, m := range messages {
		known[aws.ToString(m.MessageId)] = true
	}
	failed := map[string]bool{}
	for _, f := range failures {
		var id string
		if err := json.Unmarshal(f["itemIdentifier"], &id); err != nil || !known[id] {
			return nil, fmt.Errorf("the answer names a message %q that is not in the batch", id)
		}
		failed[id] = true
	}
	return failed, nil
}

func (p *Poller) delete(ctx context.Context, messages []types.Message, failed map[string]bool) (deleted int, err error) {
	for _, m := range messages {
		if failed[aws.ToString(m.MessageId)] {
			continue
		}
		if _, err := p.Queue.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &p.Queue.URL, ReceiptHandle: m.ReceiptHandle}); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, nil
}
