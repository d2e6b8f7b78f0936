// Package redrive takes the sign-ins in a dead-letter queue back to their queue.
//
// It does not use SQS's own redrive (StartMessageMoveTask): that moves every
// message, so what can never be recorded goes round again and hides what can.
// A message is sent to the queue before it is deleted from the dead-letter
// queue. So there is no moment at which it is in neither, and one that is in
// both, after a crash between the two, does no harm: recording a sign-in twice
// is recording it once.
package redrive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
)

// API is what is needed of an [sqs.Client].
type API interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(context.Context, *sqs.ChangeMessageVisibilityBatchInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
}

// Class is what a dead letter is.
type Class string

// The classes.
const (
	// Good: a sign-in that can be recorded. It died of an outage.
	Good Class = "good"
	// UnknownSub: a sign-in of somebody without a row. Only with Config.Known.
	UnknownSub Class = "unknown sub"
	// Old: a good one that was sent longer ago than Config.MaxAge.
	Old Class = "old"
	// Ahead: its time is in the future; it becomes good.
	Ahead Class = "time ahead"
	// Unreadable: no sign-in, and it never becomes one.
	Unreadable Class = "unreadable"
)

// Config says what to do. It is copied.
type Config struct {
	// API reaches both queues. Required.
	API API
	// DeadLetterURL and QueueURL are where from and where to. Required.
	DeadLetterURL, QueueURL string
	// Apply moves the good ones. Without it all stay as they are.
	Apply bool
	// Unreadable, if set, gets each unreadable message as a line of JSON, with
	// Apply, before it is deleted. Sync, if it has one, is called in between.
	Unreadable io.Writer
	// Known, if set, says whether there is a row for a sub.
	Known func(ctx context.Context, sub string) (bool, error)
	// MaxAge leaves messages alone that were sent longer ago; 0 leaves none.
	MaxAge time.Duration
	// Limit is how many messages are looked at, 0 for all.
	Limit int
	// Hold is for how long nobody else sees a message that was looked at: longer
	// than the run should take. What is left is let go in the end. Defaults to
	// 10 minutes; SQS takes up to 12 hours.
	Hold time.Duration
	// OnProgress is told how many messages were looked at. Defaults to nothing.
	OnProgress func(done int)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Group is the messages of one class and reason.
type Group struct {
	Class Class `json:"class"`
	// Reason is more about an unreadable one; it quotes nothing of a message.
	Reason string `json:"reason,omitempty"`
	// Found of them; Moved to the queue, or Deleted; the rest is left.
	Found   int `json:"found"`
	Moved   int `json:"moved"`
	Deleted int `json:"deleted"`
	// Oldest is when the first of them was sent; zero if SQS does not say.
	Oldest time.Time `json:"oldest"`
}

// Left is how many are still dead letters.
func (g Group) Left() int { return g.Found - g.Moved - g.Deleted }

// Report is what was found and done.
type Report struct {
	Groups []Group `json:"groups"`
	// Looked is how many messages were looked at.
	Looked int `json:"looked"`
	// More: Limit ended the run, so there may be more.
	More bool `json:"more"`
	// Twice were sent to the queue and could not be deleted: they are recorded,
	// and are dead letters still.
	Twice int `json:"twice"`
}

// Left is how many of those looked at are still dead letters.
func (r Report) Left() (n int) {
	for _, g := range r.Groups {
		n += g.Left()
	}
	return n
}

// Error is a call to SQS that failed.
type Error struct {
	Op  string
	Err error
}

func (e *Error) Error() string { return "redrive: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const batch = 10 // SQS's own most

// Run looks at the dead letters, once at each, and does what cfg says. On an
// error the report has what was done until then; it is safe to run again.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Hold == 0 {
		cfg.Hold = 10 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnProgress == nil {
		cfg.OnProgress = func(int) {}
	}
	r := &run{cfg: cfg, seen: map[string]bool{}, groups: map[[2]string]*Group{}}
	err := r.all(ctx)
	if letGo := r.letGo(ctx); err == nil {
		err = letGo
	}
	return r.report, err
}

type run struct {
	cfg    Config
	report Report
	groups map[[2]string]*Group // by class and reason; report.Groups in the end
	order  [][2]string
	seen   map[string]bool // message ids
	held   []string        // receipts of what stays
}

// letter is one message, judged.
type letter struct {
	types.Message
	group *Group
}

func (r *run) all(ctx context.Context) error {
	defer func() {
		for _, k := range r.order {
			r.report.Groups = append(r.report.Groups, *r.groups[k])
		}
	}()
	for {
		want := batch
		if r.cfg.Limit > 0 {
			want = min(want, r.cfg.Limit-r.report.Looked)
		}
		if want == 0 {
			r.report.More = true
			return nil
		}
		messages, err := r.receive(ctx, want)
		if err != nil || len(messages) == 0 {
			return err
		}
		again := 0
		var fresh []types.Message
		for _, m := range messages {
			if r.seen[aws.ToString(m.MessageId)] { // the hold is over: this run takes too long
				r.held = append(r.held, aws.ToString(m.ReceiptHandle))
				again++
				continue
			}
			r.seen[aws.ToString(m.MessageId)] = true
			fresh = append(fresh, m)
		}
		if err := r.handle(ctx, fresh); err != nil || again == len(messages) {
			return err
		}
	}
}

// receive may wait a second: without, SQS asks only some of its servers, and
// nothing would not mean that there is nothing.
func (r *run) receive(ctx context.Context, want int) ([]types.Message, error) {
	got, err := r.cfg.API.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &r.cfg.DeadLetterURL, MaxNumberOfMessages: int32(want), WaitTimeSeconds: 1, //nolint:gosec // at most 10
		VisibilityTimeout:           int32(r.cfg.Hold.Seconds()),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, &Error{"ReceiveMessage", err}
	}
	return got.Messages, nil
}

// handle judges messages and does with them what is to be done. Whatever is not
// deleted in the end is held.
func (r *run) handle(ctx context.Context, messages []types.Message) error {
	var good, unreadable []letter
	for i, m := range messages {
		class, reason, err := r.judge(ctx, m)
		if err != nil {
			r.hold(messages[i:])
			r.holdAll(append(good, unreadable...))
			return err
		}
		l := letter{m, r.group(class, reason, m)}
		switch {
		case class == Good && r.cfg.Apply:
			good = append(good, l)
		case class == Unreadable && r.cfg.Apply && r.cfg.Unreadable != nil:
			unreadable = append(unreadable, l)
		default:
			r.hold(messages[i : i+1])
		}
		r.report.Looked++
	}
	r.cfg.OnProgress(r.report.Looked)
	return errors.Join(r.move(ctx, good), r.drop(ctx, unreadable))
}

func (r *run) hold(messages []types.Message) {
	for _, m := range messages {
		r.held = append(r.held, aws.ToString(m.ReceiptHandle))
	}
}

func (r *run) judge(ctx context.Context, m types.Message) (class Class, reason string, err error) {
	signIn, err := lambda.ParseSignIn([]byte(aws.ToString(m.Body)))
	if err != nil {
		return Unreadable, strings.TrimPrefix(err.Error(), lambda.ErrBadMessage.Error()+": "), nil
	}
	now := r.cfg.Now()
	if signIn.Ahead(now) {
		return Ahead, "", nil
	}
	if sent := sentAt(m); r.cfg.MaxAge > 0 && !sent.IsZero() && now.Sub(sent) > r.cfg.MaxAge {
		return Old, "", nil
	}
	if r.cfg.Known != nil {
		known, err := r.cfg.Known(ctx, signIn.Sub)
		if err != nil {
			return "", "", err
		}
		if !known {
			return UnknownSub, "", nil
		}
	}
	return Good, "", nil
}

func sentAt(m types.Message) time.Time {
	ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (r *run) group(class Class, reason string, m types.Message) *Group {
	k := [2]string{string(class), reason}
	g := r.groups[k]
	if g == nil {
		g = &Group{Class: class, Reason: reason}
		r.groups[k] = g
		r.order = append(r.order, k)
	}
	g.Found++
	if sent := sentAt(m); !sent.IsZero() && (g.Oldest.IsZero() || sent.Before(g.Oldest)) {
		g.Oldest = sent
	}
	return g
}

// move sends, and then deletes what was sent.
func (r *run) move(ctx context.Context, good []letter) error {
	if len(good) == 0 {
		return nil
	}
	var entries []types.SendMessageBatchRequestEntry
	for i, l := range good {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: id(i), MessageBody: l.Body})
	}
	sent, err := r.cfg.API.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &r.cfg.QueueURL, Entries: entries})
	if err != nil {
		r.holdAll(good)
		return &Error{"SendMessageBatch", err}
	}
	ok := map[string]bool{}
	for _, s := range sent.Successful {
		ok[aws.ToString(s.Id)] = true
	}
	var done, rest []letter
	for i, l := range good {
		if ok[*id(i)] {
			done = append(done, l)
		} else {
			rest = append(rest, l)
		}
	}
	r.holdAll(rest)
	// What was sent is to be deleted even if somebody interrupts just now.
	gone, err := r.remove(context.WithoutCancel(ctx), done)
	for _, l := range gone {
		l.group.Moved++
	}
	r.report.Twice += len(done) - len(gone)
	if err == nil && len(rest) > 0 {
		err = &Error{"SendMessageBatch", failures(len(rest), code(sent.Failed))}
	}
	return err
}

// drop writes unreadable messages down, and then deletes them.
func (r *run) drop(ctx context.Context, unreadable []letter) error {
	if len(unreadable) == 0 {
		return nil
	}
	if err := r.write(unreadable); err != nil {
		r.holdAll(unreadable)
		return err
	}
	gone, err := r.remove(context.WithoutCancel(ctx), unreadable)
	for _, l := range gone {
		l.group.Deleted++
	}
	return err
}

// record is a line of what was dropped.
type record struct {
	ID   string    `json:"message_id"`
	Sent time.Time `json:"sent"`
	Why  string    `json:"why"`
	Body string    `json:"body"`
}

func (r *run) write(unreadable []letter) error {
	for _, l := range unreadable {
		line, err := json.Marshal(record{aws.ToString(l.MessageId), sentAt(l.Message), l.group.Reason, aws.ToString(l.Body)})
		if err != nil {
			return err
		}
		if _, err := r.cfg.Unreadable.Write(append(termtext.JSON(line), '\n')); err != nil { // somebody will look at it with cat
			return err
		}
	}
	if f, ok := r.cfg.Unreadable.(interface{ Sync() error }); ok {
		return f.Sync()
	}
	return nil
}

func (r *run) holdAll(letters []letter) {
	for _, l := range letters {
		r.held = append(r.held, aws.ToString(l.ReceiptHandle))
	}
}

// lastWords bounds what is done after an interruption.
const lastWords = 10 * time.Second

// remove deletes dead letters, and returns those that are gone.
func (r *run) remove(ctx context.Context, letters []letter) (gone []letter, err error) {
	if len(letters) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	var entries []types.DeleteMessageBatchRequestEntry
	for i, l := range letters {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: id(i), ReceiptHandle: l.ReceiptHandle})
	}
	out, err := r.cfg.API.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &r.cfg.DeadLetterURL, Entries: entries})
	if err != nil {
		r.holdAll(letters)
		return nil, &Error{"DeleteMessageBatch", err}
	}
	ok := map[string]bool{}
	for _, s := range out.Successful {
		ok[aws.ToString(s.Id)] = true
	}
	for i, l := range letters {
		if ok[*id(i)] {
			gone = append(gone, l)
		} else {
			r.holdAll(letters[i : i+1])
		}
	}
	if n := len(letters) - len(gone); n > 0 {
		err = &Error{"DeleteMessageBatch", failures(n, code(out.Failed))}
	}
	return gone, err
}

// letGo makes what was held visible again, so that the next run need not wait.
// If it fails, SQS does so when the hold is over.
func (r *run) letGo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	for len(r.held) > 0 {
		n := min(batch, len(r.held))
		var entries []types.ChangeMessageVisibilityBatchRequestEntry
		for i := range n {
			entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: id(i), ReceiptHandle: &r.held[i], VisibilityTimeout: 0})
		}
		r.held = r.held[n:]
		if _, err := r.cfg.API.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.cfg.DeadLetterURL, Entries: entries}); err != nil {
			return &Error{"ChangeMessageVisibilityBatch", err}
		}
	}
	return nil
}

func id(i int) *string { return aws.String(strconv.Itoa(i)) }

func code(failed []types.BatchResultErrorEntry) string {
	if len(failed) == 0 {
		return "no answer for them"
	}
	return aws.ToString(failed[0].Code)
}

func failures(n int, code string) error { return fmt.Errorf("%d of a batch failed: %s", n, code) }
