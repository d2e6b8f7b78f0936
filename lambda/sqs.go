package lambda

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// SQSAPI is what [NewSQSSignIns] needs of an [sqs.Client].
type SQSAPI interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// SQSSignIns puts sign-ins into an Amazon SQS queue. A standard queue is
// enough: order and duplicates do not matter.
type SQSSignIns struct {
	api SQSAPI
	url string
}

var _ SignIns = (*SQSSignIns)(nil)

// NewSQSSignIns sends to the queue at queueURL. The function needs
// sqs:SendMessage on it.
func NewSQSSignIns(api SQSAPI, queueURL string) *SQSSignIns {
	return &SQSSignIns{api: api, url: queueURL}
}

// Send implements [SignIns].
func (q *SQSSignIns) Send(ctx context.Context, s SignIn) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return ErrBadMessage
	}
	body := string(raw)
	var n tries
	defer n.report(ctx)
	_, err = q.api.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body},
		func(o *sqs.Options) { o.APIOptions = append(o.APIOptions, n.count) })
	return hideAWS("SendMessage", err)
}
