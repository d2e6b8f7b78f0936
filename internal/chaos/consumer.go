package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// consumer is one environment of the consumer function, with the part of AWS
// that polls the queue for it.
type consumer struct {
	w       *world
	handler *lambda.SignInsHandler
}

const (
	batchSize       = 20
	consumerTimeout = 25 * time.Second // below the visibility timeout
)

func (w *world) newConsumer(ctx context.Context) (*consumer, error) {
	store, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	c, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: store, Attempts: 3, Logger: log})
	if err != nil {
		return nil, err
	}
	h, err := lambda.NewSignInsHandler(c, lambda.SignInsHandlerConfig{Logger: log})
	return &consumer{w: w, handler: h}, err
}

// poll takes batches off the queue until the run is over.
func (c *consumer) poll(number int) {
	for round := 0; !c.w.done.Load(); round++ {
		run := c.w.newCall(nil, fmt.Sprintf("consumer %d.%d", number, round))
		r := run.dice("run")
		_ = nap(context.Background(), between(r, 100*time.Millisecond, 2*time.Second))
		batch := c.w.queue.receive(batchSize)
		if len(batch) == 0 {
			_ = nap(context.Background(), 20*time.Second) // as a long poll does
			continue
		}
		c.deliver(run, batch, c.w.strikes(r, ConsumerCrash))
	}
}

// deliver runs the function on a batch and deletes what it took. A function
// that dies between the two has all of it come again.
func (c *consumer) deliver(run *call, batch []*message, dies bool) {
	if c.w.cfg.Break.Delete {
		c.w.queue.remove(batch, nil)
		if !dies {
			_, _ = c.record(run, batch)
		}
		return
	}
	failed, err := c.record(run, batch)
	if err == nil && !dies {
		c.w.queue.remove(batch, failed)
	}
}

// record runs the consumer function on a batch. It returns the ids of the
// messages that must come again.
func (c *consumer) record(run *call, batch []*message) (failed []string, err error) {
	ctx, cancel := context.WithTimeout(run.in(context.Background()), consumerTimeout)
	defer cancel()
	var in events.SQSEvent
	for _, m := range batch {
		in.Records = append(in.Records, events.SQSMessage{
			MessageId: m.id, Body: m.body, EventSource: "aws:sqs",
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received)},
		})
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if raw, err = c.handler.Handle(ctx, raw); err != nil {
		return nil, err
	}
	var out events.SQSEventResponse
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, err
	}
	for _, f := range out.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed, nil
}
