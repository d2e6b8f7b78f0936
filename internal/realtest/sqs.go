package realtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
)

// SQSServer is an SQS server on 127.0.0.1: fauxqs, under Node. It is safe for
// concurrent use, apart from Stop, Pause and Resume.
type SQSServer struct {
	// URL is the endpoint for an SDK client (AWS_ENDPOINT_URL_SQS for a binary).
	// Any region and any credentials will do.
	URL string

	proc   *process
	queues atomic.Uint64
}

// SQS returns the server that all tests of a process share. It starts with the
// first and ends with the process. Each test makes a queue of its own, see
// [SQSServer.Queue]. Parallel tests may call it.
func SQS(t testing.TB) *SQSServer {
	t.Helper()
	bin, dir := needSQS(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.sqs == nil {
		s, err := newSQS(bin, dir)
		if err != nil {
			t.Fatalf("SQS: %v", err)
		}
		shared.sqs = s
	}
	return shared.sqs
}

// NewSQS starts a server of the test's own, to be broken. It ends with the
// test.
func NewSQS(t testing.TB) *SQSServer {
	t.Helper()
	bin, dir := needSQS(t)
	s, err := newSQS(bin, dir)
	if err != nil {
		t.Fatalf("SQS: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

func needSQS(t testing.TB) (node, dir string) {
	t.Helper()
	node = Need(t, "node")
	dir, err := nodeDir()
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "fauxqs", "package.json"))
	}
	if err != nil {
		missing(t, "needs fauxqs: run npm ci --ignore-scripts in internal/realtest/node")
	}
	return node, dir
}

// nodeDir is the folder node beside this file. Tests run in the folder of
// their package, programs at the root.
func nodeDir() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		dir := filepath.Join(at, "internal", "realtest", "node")
		if _, err := os.Stat(filepath.Join(dir, "server.mjs")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("outside of the repository")
		}
		at = up
	}
}

var listening = regexp.MustCompile(`listening on port (\d+)\.`)

func newSQS(node, dir string) (*SQSServer, error) {
	scratchDir, err := scratch("sqs", nil)
	if err != nil {
		return nil, err
	}
	p, err := command{
		name: "fauxqs", path: node, args: []string{filepath.Join(dir, "server.mjs")}, dir: scratchDir,
		whenDead: syscall.SIGKILL, input: true,
	}.start()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratchDir))
	}
	s := &SQSServer{proc: p}
	if err := p.await(s.ready); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *SQSServer) ready() error {
	said := listening.FindStringSubmatch(s.proc.tail())
	if said == nil {
		return errors.New("it has not said its port")
	}
	s.URL = "http://127.0.0.1:" + said[1]
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(s.URL + "/health") //nolint:noctx // has a timeout
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return errors.New("its health is " + res.Status)
	}
	return nil
}

// Stop ends the server. What is in its queues is lost.
func (s *SQSServer) Stop() {
	s.proc.kill()
	_ = os.RemoveAll(filepath.Dir(s.proc.log))
}

// Pause makes the server stand still: it takes connections and answers
// nothing, until Resume.
func (s *SQSServer) Pause() { _ = freeze(s.proc.cmd.Process.Pid) }

// Resume ends a Pause.
func (s *SQSServer) Resume() { thaw(s.proc.cmd.Process.Pid) }

// Region is where the queues are.
const Region = "us-east-1"

// Client is an SDK client of the server. It tries everything once.
func (s *SQSServer) Client() *sqs.Client {
	return sqs.New(sqs.Options{
		Region: Region, BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, HTTPClient: awshttp.NewClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

// QueueConfig says what a queue is like.
type QueueConfig struct {
	// VisibilityTimeout is after how long a message that was received and not
	// deleted comes again, in whole seconds. Defaults to 1 s.
	VisibilityTimeout time.Duration
	// MaxReceives is after how many receives a message goes to the dead-letter
	// queue. Defaults to 3.
	MaxReceives int
}

// Queue is a standard queue with a dead-letter queue.
type Queue struct {
	Client *sqs.Client
	// URL and ARN of the queue, and the URL of its dead-letter queue.
	URL, ARN, DeadLetterURL string
}

// Queue makes a queue with a dead-letter queue that nobody else uses.
func (s *SQSServer) Queue(t testing.TB, cfg QueueConfig) *Queue {
	t.Helper()
	if cfg.VisibilityTimeout == 0 {
		cfg.VisibilityTimeout = time.Second
	}
	if cfg.MaxReceives == 0 {
		cfg.MaxReceives = 3
	}
	q := &Queue{Client: s.Client()}
	name := numbered("sign-ins-", s.queues.Add(1))
	var deadARN string
	q.DeadLetterURL, deadARN = q.create(t, name+"-dead", nil)
	redrive, err := json.Marshal(map[string]any{"deadLetterTargetArn": deadARN, "maxReceiveCount": cfg.MaxReceives})
	if err != nil {
		t.Fatal(err)
	}
	q.URL, q.ARN = q.create(t, name, map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout): strconv.Itoa(int(cfg.VisibilityTimeout.Seconds())),
		string(types.QueueAttributeNameRedrivePolicy):     string(redrive),
	})
	return q
}

func (q *Queue) create(t testing.TB, name string, attributes map[string]string) (url, arn string) {
	t.Helper()
	made, err := q.Client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatalf("CreateQueue: %v", err)
	}
	got, err := q.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatalf("GetQueueAttributes: %v", err)
	}
	return *made.QueueUrl, got.Attributes[string(types.QueueAttributeNameQueueArn)]
}

// Send puts messages with these bodies into the queue.
func (q *Queue) Send(t testing.TB, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := q.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &body}); err != nil {
			t.Fatalf("SendMessage: %v", err)
		}
	}
}

// Counts says how many messages wait in the queue, how many were received and
// neither deleted nor given up, and how many are dead letters.
func (q *Queue) Counts(t testing.TB) (waiting, inFlight, dead int) {
	t.Helper()
	waiting, inFlight = q.count(t, q.URL)
	n, m := q.count(t, q.DeadLetterURL)
	return waiting, inFlight, n + m
}

func (q *Queue) count(t testing.TB, url string) (waiting, inFlight int) {
	t.Helper()
	got, err := q.Client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		},
	})
	if err != nil {
		t.Fatalf("GetQueueAttributes: %v", err)
	}
	number := func(name types.QueueAttributeName) int {
		n, err := strconv.Atoi(got.Attributes[string(name)])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return number(types.QueueAttributeNameApproximateNumberOfMessages), number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
}

// DeadLetters takes what is in the dead-letter queue and returns the bodies.
func (q *Queue) DeadLetters(t testing.TB) []string {
	t.Helper()
	var bodies []string
	for {
		got, err := q.Client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.DeadLetterURL, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatalf("ReceiveMessage: %v", err)
		}
		if len(got.Messages) == 0 {
			return bodies
		}
		for _, m := range got.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := q.Client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.DeadLetterURL, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatalf("DeleteMessage: %v", err)
			}
		}
	}
}
