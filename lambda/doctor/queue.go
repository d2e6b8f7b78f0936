package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// receives is what AWS asks for as the least, where a function reads a queue.
const receives = 5

// attributes are those of a queue.
type attributes map[string]string

func (a attributes) number(name types.QueueAttributeName) int {
	n, _ := strconv.Atoi(a[string(name)])
	return n
}

// redrive is where the queue's messages go that are given up.
type redrive struct {
	Target   string          `json:"deadLetterTargetArn"`
	Receives json.RawMessage `json:"maxReceiveCount"` // a number, or one in quotes
}

func (d redrive) receives() int {
	n, _ := strconv.Atoi(strings.Trim(string(d.Receives), `"`))
	return n
}

func (r *run) checkQueue(ctx context.Context) {
	if r.QueueURL == "" {
		r.leaveOut(Queue, "no address of the queue (--queue-url)")
		return
	}
	r.more(3)
	name := r.QueueURL[strings.LastIndexByte(r.QueueURL, '/')+1:]
	queue, err := r.askQueue(ctx, r.QueueURL)
	if err != nil && notFound(err) {
		r.add(QueueMissing, name, "There is no such queue.")
		return
	}
	if !r.answered(Queue, "GetQueueAttributes", name, err) {
		return
	}
	r.checkProtection(name, queue)
	if n := queue.number(types.QueueAttributeNameApproximateNumberOfMessages); n > r.BacklogLimit {
		r.add(QueueBacklog, name, fmt.Sprintf("%d messages wait.", n))
	}
	r.checkRedrive(ctx, name, queue)
	if r.Lambda == nil {
		r.leaveOut(Queue, "its consumer, without a client of Lambda")
		return
	}
	r.checkConsumer(ctx, name, queue)
}

func (r *run) askQueue(ctx context.Context, url string) (attributes, error) {
	r.doing("GetQueueAttributes")
	out, err := r.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

func (r *run) checkProtection(name string, queue attributes) {
	if queue[string(types.QueueAttributeNameSqsManagedSseEnabled)] != "true" && queue[string(types.QueueAttributeNameKmsMasterKeyId)] == "" {
		r.add(QueueUnencrypted, name, "It is not encrypted.", r.setQueue("SqsManagedSseEnabled=true"))
	}
	var p resourcePolicy
	if text := queue[string(types.QueueAttributeNamePolicy)]; text == "" || json.Unmarshal([]byte(text), &p) != nil {
		return
	}
	for _, s := range p.Statement {
		if s.Effect == "Allow" && s.Principal.all && len(s.Condition) == 0 {
			r.add(QueuePublic, name, "A statement of its policy lets anybody in, without a condition.")
			return
		}
	}
}

func (r *run) setQueue(attribute string) string {
	return fmt.Sprintf("aws sqs set-queue-attributes --queue-url %s --attributes %s", r.QueueURL, attribute)
}

func (r *run) checkRedrive(ctx context.Context, name string, queue attributes) {
	var d redrive
	text := queue[string(types.QueueAttributeNameRedrivePolicy)]
	if text == "" || json.Unmarshal([]byte(text), &d) != nil || d.Target == "" {
		r.add(QueueNoRedrive, name, "It has no dead-letter queue.")
		return
	}
	if n := d.receives(); n < receives {
		r.add(QueueReceives, name, fmt.Sprintf("A message is given up after %d receives.", n))
	}
	dead := d.Target[strings.LastIndexByte(d.Target, ':')+1:]
	r.doing("GetQueueUrl")
	at, err := r.SQS.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &dead})
	if err != nil && notFound(err) {
		r.add(DeadQueueMissing, dead, "The redrive policy names it, and there is no such queue.")
		return
	}
	if !r.answered(Queue, "GetQueueUrl", dead, err) {
		return
	}
	letters, err := r.askQueue(ctx, aws.ToString(at.QueueUrl))
	if r.answered(Queue, "GetQueueAttributes", dead, err) {
		r.checkDead(dead, queue, letters)
	}
}

func (r *run) checkDead(name string, queue, letters attributes) {
	if n := letters.number(types.QueueAttributeNameApproximateNumberOfMessages); n > 0 {
		r.add(DeadLetters, name, fmt.Sprintf("%d dead letters lie there.", n), "ssoctl queue redrive --queue "+r.QueueURL)
	}
	if letters.number(types.QueueAttributeNameMessageRetentionPeriod) <= queue.number(types.QueueAttributeNameMessageRetentionPeriod) {
		r.add(DeadQueueRetention, name, "It does not keep messages longer than the queue does.")
	}
	if letters[string(types.QueueAttributeNameSqsManagedSseEnabled)] != "true" && letters[string(types.QueueAttributeNameKmsMasterKeyId)] == "" {
		r.add(QueueUnencrypted, name, "It is not encrypted.")
	}
}

// arnOf is the queue's own name for itself.
func arnOf(queue attributes) string { return queue[string(types.QueueAttributeNameQueueArn)] }
