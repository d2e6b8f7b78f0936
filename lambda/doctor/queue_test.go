package doctor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// consumed lets a function of the pool's read every queue, as the template has
// it, after change.
func consumed(change func(mapping object)) func(*ssotest.Config) {
	return on("ListEventSourceMappings", func(answer object) {
		m := object{
			"UUID": "00000000-0000-4000-8000-000000000001", "State": "Enabled", "MaximumBatchingWindowInSeconds": 5,
			"FunctionArn":           "arn:aws:lambda:ap-northeast-2:000000000000:function:PostConfirmation", // the pool has no other
			"FunctionResponseTypes": []string{"ReportBatchItemFailures"}, "ScalingConfig": object{"MaximumConcurrency": 2},
		}
		if change != nil {
			change(m)
		}
		answer["EventSourceMappings"] = []object{m}
	})
}

// set changes a queue.
func set(t *testing.T, q *realtest.Queue, url, name, value string) {
	t.Helper()
	if _, err := q.Client.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{name: value}}); err != nil {
		t.Fatal(err)
	}
}

// goodQueue is one as the template makes it.
func goodQueue(t *testing.T) *realtest.Queue {
	t.Helper()
	q := realtest.SQS(t).Queue(t, realtest.QueueConfig{VisibilityTimeout: 29 * time.Second, MaxReceives: 5}) // 6 × 4 s, and 5 s
	set(t, q, q.URL, "KmsMasterKeyId", "alias/aws/sqs")
	set(t, q, q.DeadLetterURL, "KmsMasterKeyId", "alias/aws/sqs")
	set(t, q, q.DeadLetterURL, "MessageRetentionPeriod", "1209600")
	return q
}

var queues = []struct {
	name string
	pool func(*ssotest.Config)
	seed func(*testing.T, *realtest.Queue, *doctor.Config)
	want []doctor.ID
}{
	{"nothing", consumed(nil), nil, nil},
	{"no such queue", consumed(nil), func(_ *testing.T, _ *realtest.Queue, c *doctor.Config) { c.QueueURL += "-gone" }, ids(doctor.QueueMissing)},
	{"no encryption", consumed(nil), attr("KmsMasterKeyId", ""), ids(doctor.QueueUnencrypted)},
	{"dead letters in clear", consumed(nil), deadAttr("KmsMasterKeyId", ""), ids(doctor.QueueUnencrypted)},
	{"keys of SQS's own", consumed(nil), func(t *testing.T, q *realtest.Queue, c *doctor.Config) {
		t.Helper()
		set(t, q, q.URL, "KmsMasterKeyId", "")
		set(t, q, q.DeadLetterURL, "KmsMasterKeyId", "")
		c.SQS = ownKeys{c.SQS}
	}, nil},
	{"anybody", consumed(nil), attr("Policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}`), ids(doctor.QueuePublic)},
	{"nobody", consumed(nil), attr("Policy", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sqs:*","Resource":"*"}}`), nil},
	{"TLS only", consumed(nil), attr("Policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`), nil},
	{"no redrive", consumed(nil), func(t *testing.T, _ *realtest.Queue, c *doctor.Config) {
		out, err := realtest.SQS(t).Client().CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("lonely"), Attributes: map[string]string{
			"KmsMasterKeyId": "alias/aws/sqs", "VisibilityTimeout": "185"}})
		if err != nil {
			t.Fatal(err)
		}
		c.QueueURL = *out.QueueUrl
	}, ids(doctor.QueueNoRedrive)},
	{"given up after 3", consumed(nil), func(t *testing.T, q *realtest.Queue, _ *doctor.Config) {
		set(t, q, q.URL, "RedrivePolicy", `{"deadLetterTargetArn":"`+q.ARN+`-dead","maxReceiveCount":"3"}`)
	}, ids(doctor.QueueReceives)},
	{"dead letters expire", consumed(nil), deadAttr("MessageRetentionPeriod", "345600"), ids(doctor.DeadQueueRetention)},
	{"dead letters", consumed(nil), func(t *testing.T, q *realtest.Queue, _ *doctor.Config) {
		dead := *q
		dead.URL = q.DeadLetterURL
		dead.Send(t, `{"sub":"x"}`)
	}, ids(doctor.DeadLetters)},
	{"no queue of dead letters", consumed(nil), func(t *testing.T, q *realtest.Queue, _ *doctor.Config) {
		if _, err := q.Client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: &q.DeadLetterURL}); err != nil {
			t.Fatal(err)
		}
	}, ids(doctor.DeadQueueMissing)},
	{"a backlog", consumed(nil), func(t *testing.T, q *realtest.Queue, c *doctor.Config) {
		c.BacklogLimit = 2
		q.Send(t, "1", "2", "3")
	}, ids(doctor.QueueBacklog)},
	{"just no backlog", consumed(nil), func(t *testing.T, q *realtest.Queue, c *doctor.Config) {
		c.BacklogLimit = 2
		q.Send(t, "1", "2")
	}, nil},
	{"seen again too early", consumed(nil), attr("VisibilityTimeout", "28"), ids(doctor.QueueVisibility)},
	{"seen again too early for the window", consumed(func(m object) { m["MaximumBatchingWindowInSeconds"] = 6 }), nil, ids(doctor.QueueVisibility)},
	{"no consumer", nil, nil, ids(doctor.ConsumerMissing)},
	{"consumer off", consumed(func(m object) { m["State"] = "Disabled" }), nil, ids(doctor.ConsumerDisabled)},
	{"whole batches", consumed(func(m object) { delete(m, "FunctionResponseTypes") }), nil, ids(doctor.ConsumerWholeBatch)},
	{"any number of consumers", consumed(func(m object) { delete(m, "ScalingConfig") }), nil, ids(doctor.ConsumerConcurrency)},
	{"a consumer that is not there", consumed(func(m object) {
		m["FunctionArn"] = "arn:aws:lambda:ap-northeast-2:000000000000:function:gone"
	}), nil, ids(doctor.NotAsked)},
	{"a consumer that nobody looks at", nil, func(_ *testing.T, _ *realtest.Queue, c *doctor.Config) { c.Lambda = nil }, nil},
}

// ownKeys says of every queue that SQS encrypts it with keys of its own, which
// the local server does not know.
type ownKeys struct{ doctor.SQS }

func (o ownKeys) GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, options ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	out, err := o.SQS.GetQueueAttributes(ctx, in, options...)
	if err == nil {
		out.Attributes["SqsManagedSseEnabled"] = "true"
	}
	return out, err
}

func attr(name, value string) func(*testing.T, *realtest.Queue, *doctor.Config) {
	return func(t *testing.T, q *realtest.Queue, _ *doctor.Config) {
		t.Helper()
		set(t, q, q.URL, name, value)
	}
}

func deadAttr(name, value string) func(*testing.T, *realtest.Queue, *doctor.Config) {
	return func(t *testing.T, q *realtest.Queue, _ *doctor.Config) {
		t.Helper()
		set(t, q, q.DeadLetterURL, name, value)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	for _, row := range queues {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			q := goodQueue(t)
			w := newWorld(t, row.pool)
			w.cfg.SQS, w.cfg.QueueURL = q.Client, q.URL
			if row.seed != nil {
				row.seed(t, q, &w.cfg)
			}
			report := w.run(t)
			want(t, report, row.want...)
			for _, f := range report.Findings {
				if f.Subject != doctor.Queue || strings.Contains(f.Target, "/") {
					t.Errorf("%+v", f)
				}
			}
			if row.name == "a backlog" {
				if waiting, inFlight, _ := q.Counts(t); waiting != 3 || inFlight != 0 {
					t.Errorf("of 3 messages %d wait, %d were taken", waiting, inFlight)
				}
			}
		})
	}
}

// A queue that nobody answers for is not taken for a good one.
func TestQueueNotAsked(t *testing.T) {
	t.Parallel()
	q := goodQueue(t)
	w := newWorld(t, consumed(nil))
	w.pool.SetFaults(denied("ListEventSourceMappings"))
	w.cfg.SQS, w.cfg.QueueURL = q.Client, q.URL
	want(t, w.run(t), doctor.NotAsked)
	o := q.Client.Options()
	o.BaseEndpoint = aws.String("http://127.0.0.1:1")
	w.cfg.SQS = sqs.New(o)
	report := w.run(t)
	want(t, report, doctor.NotAsked)
	if f := report.Findings[0]; f.Found != "GetQueueAttributes: no answer." || f.Subject != doctor.Queue {
		t.Errorf("%+v", f)
	}
}
