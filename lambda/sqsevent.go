package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/sqsevent"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// SignInsHandlerConfig tunes a [SignInsHandler]. It is copied.
type SignInsHandlerConfig struct {
	// Reserve is how much of the function's time is kept back to answer in, but
	// at most half of it. Defaults to 500 ms.
	Reserve time.Duration
	// Timeout bounds one event; the function's own deadline, if nearer, wins.
	// Defaults to 25 s.
	Timeout time.Duration
	// Logger gets one line per event, and one for each message that cannot be
	// recorded, without personal data. Defaults to slog.Default().
	Logger *slog.Logger
	// OnResult is told how each event ended, for metrics; see [SignInsEMF]. It
	// is called before the answer is given, so it must not block. Warm-ups are
	// not told. Defaults to nothing.
	OnResult func(SignInsResult)
}

// SignInsHandler records sign-ins that come out of an SQS queue. It is safe
// for concurrent use.
//
// The event source mapping must have ReportBatchItemFailures, and the queue a
// dead-letter queue: a message that can never be recorded is reported as failed
// each time it comes, until SQS puts it there. While the store is down all
// messages are reported so, which counts as well. Therefore maxReceiveCount
// times the visibility timeout should be longer than an outage that you want
// to sit out, and what ends in the dead-letter queue nevertheless can be put
// back at any time: recording late, twice or out of order does no harm.
type SignInsHandler struct {
	consumer *Consumer
	cfg      SignInsHandlerConfig
}

// NewSignInsHandler records with consumer, one statement for as many messages
// as its MaxBatch. Its error is [ErrConfig].
func NewSignInsHandler(consumer *Consumer, cfg SignInsHandlerConfig) (*SignInsHandler, error) {
	if consumer == nil {
		return nil, fmt.Errorf("%w: consumer: required", ErrConfig)
	}
	if cfg.Reserve < 0 || cfg.Timeout < 0 {
		return nil, fmt.Errorf("%w: Reserve and Timeout: at least 0", ErrConfig)
	}
	setDefault(&cfg.Reserve, 500*time.Millisecond)
	setDefault(&cfg.Timeout, 25*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.OnResult == nil {
		cfg.OnResult = func(SignInsResult) {}
	}
	return &SignInsHandler{consumer: consumer, cfg: cfg}, nil
}

// SignInsResult is what became of the messages of one event.
type SignInsResult struct {
	// Messages in the event. Each is in Done, Poison or Failed.
	Messages int
	// Done messages need not come again: recorded, or of nobody.
	Done int
	// Updated rows got a later last login. Several messages may be of one user.
	Updated int
	// Unknown subs have no row: users who were lost at sign-up, and not yet
	// healed.
	Unknown int
	// Poison messages can never be recorded: not a sign-in, from the future, or
	// one that the store alone refuses. They are on their way to the dead-letter
	// queue.
	Poison int
	// Failed messages come again: the store was not there, or time was over.
	Failed int
	// Statements is how often the store was asked to record a batch, with
	// Retries, those after the first try. What the store asks beside it, as for
	// who is unknown, is not counted.
	Statements, Retries int
	// Lag is how long ago the oldest message was sent; 0 if none says.
	Lag      time.Duration
	Duration time.Duration
}

// SignInReason says why a message was not recorded. The texts are stable.
type SignInReason string

const (
	// SignInMalformed: the body is not a sign-in.
	SignInMalformed SignInReason = "malformed"
	// SignInAhead: its time is too far in the future.
	SignInAhead SignInReason = "time_ahead"
	// SignInRefused: the store refuses it, and takes others.
	SignInRefused SignInReason = "refused"
	// SignInUnavailable: the store could not be reached in time.
	SignInUnavailable SignInReason = "unavailable"
	// SignInSchema: the table is not as configured.
	SignInSchema SignInReason = "schema"
	// SignInFailed: the store failed otherwise.
	SignInFailed SignInReason = "failed"
)

// Handle takes an SQS event and answers with the messages that failed, as
// events.SQSEventResponse has them. Its error means that all of them did: it
// is [ErrBadEvent], for what is not an event of SQS at all. The ping
// {"warmup":true} is answered before anything else.
func (h *SignInsHandler) Handle(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	records, warmup, err := parseSQSEvent(raw)
	if err != nil {
		h.cfg.Logger.LogAttrs(ctx, slog.LevelError, "sign-ins", slog.String("error", err.Error()))
		return nil, err
	}
	// An empty list is a list: null would do, but not for every tool.
	answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	if warmup {
		return json.Marshal(answer)
	}
	b := &signInBatch{h: h, log: h.logger(ctx), result: SignInsResult{Messages: len(records)}}
	b.run(ctx, records)
	for _, id := range b.failed {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	return json.Marshal(answer)
}

func (h *SignInsHandler) logger(ctx context.Context) *slog.Logger {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return h.cfg.Logger.With("request_id", lc.AwsRequestID)
	}
	return h.cfg.Logger
}

// Invoke is [SignInsHandler.Handle], so that aws-lambda-go hands the event over
// as it came: for a function it would read the whole of it first, to find where
// it ends.
func (h *SignInsHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	return h.Handle(ctx, event)
}

// parseSQSEvent reads the envelope. A message without an id could not be
// reported, so then the whole event is refused.
func parseSQSEvent(raw []byte) (records []sqsevent.Record, warmup bool, err error) {
	e, err := sqsevent.Parse(raw)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrBadEvent, err)
	}
	if e.Records == nil {
		if e.WarmUp {
			return nil, true, nil
		}
		return nil, false, fmt.Errorf("%w: no records", ErrBadEvent)
	}
	for _, r := range e.Records {
		if r.Source != "aws:sqs" || r.ID == "" {
			return nil, false, fmt.Errorf("%w: a record that is not of SQS", ErrBadEvent)
		}
	}
	return e.Records, false, nil
}

// signInBatch is the work on one event.
type signInBatch struct {
	h        *SignInsHandler
	log      *slog.Logger
	result   SignInsResult
	failed   []string // message ids
	refused  []refusal
	splits   int // statements that failed and were tried in halves
	lastFail error
	lastWhy  SignInReason
}

// refusal is a message for which alone the store failed.
type refusal struct {
	queued
	err error
}

// queued is a message that can be recorded.
type queued struct {
	id      string
	receive string
	signIn  SignIn
}

func (b *signInBatch) run(ctx context.Context, records []sqsevent.Record) {
	started := time.Now()
	ctx, cancel := b.h.bound(ctx)
	defer cancel()
	good := b.parse(ctx, records)
	for len(good) > 0 {
		n := min(len(good), b.h.consumer.cfg.MaxBatch)
		b.record(ctx, good[:n])
		good = good[n:]
	}
	b.settle(ctx)
	b.result.Duration = time.Since(started)
	b.report(ctx)
}

// bound ends early enough to answer.
func (h *SignInsHandler) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	left := h.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		ours := time.Until(end)
		left = min(left, ours-min(h.cfg.Reserve, ours/2))
	}
	return context.WithTimeout(ctx, left)
}

// parse sorts out what can never be recorded.
func (b *signInBatch) parse(ctx context.Context, records []sqsevent.Record) []queued {
	now := b.h.consumer.cfg.Now()
	good := make([]queued, 0, len(records))
	for _, r := range records {
		if sent, err := strconv.ParseInt(r.Sent, 10, 64); err == nil {
			b.result.Lag = max(b.result.Lag, now.Sub(time.UnixMilli(sent)))
		}
		q := queued{id: r.ID, receive: r.Receives}
		var err error
		if q.signIn, err = parseSignIn(r.Body); err != nil {
			b.poison(ctx, q, SignInMalformed, err)
		} else if q.signIn.Ahead(now) {
			// It may be the clock of one host: when it comes again it may be good.
			b.poison(ctx, q, SignInAhead, nil)
		} else {
			good = append(good, q)
		}
	}
	return good
}

// poison leaves a message to the dead-letter queue. The body stays out of the
// log; by its id it can be found in that queue.
func (b *signInBatch) poison(ctx context.Context, q queued, why SignInReason, err error) {
	b.result.Poison++
	b.failed = append(b.failed, q.id)
	attrs := []slog.Attr{slog.String("reason", string(why)), slog.String("message_id", q.id)}
	if n, err := strconv.Atoi(q.receive); err == nil {
		attrs = append(attrs, slog.Int("receive_count", n))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	b.log.LogAttrs(ctx, slog.LevelWarn, "sign-in cannot be recorded", attrs...)
}

// maxSplits bounds the search for what the store refuses. Ten find one message
// among a thousand.
const maxSplits = 40

// record writes messages in one statement. If the store is there and refuses,
// one of them may be the reason, and the others must not follow it into the
// dead-letter queue: the halves are tried alone.
func (b *signInBatch) record(ctx context.Context, messages []queued) {
	report, err := b.try(ctx, messages)
	b.result.Statements += 1 + report.Retries
	b.result.Retries += report.Retries
	if err == nil {
		b.result.Done += len(messages)
		b.result.Updated += report.Updated
		b.result.Unknown += len(report.Unknown)
		return
	}
	why := signInReason(ctx, err)
	switch {
	case why != SignInFailed || b.splits == maxSplits:
		b.fail(why, err, messages...)
	case len(messages) > 1:
		b.splits++
		half := len(messages) / 2
		b.record(ctx, messages[:half])
		b.record(ctx, messages[half:])
	default:
		b.refused = append(b.refused, refusal{messages[0], err})
	}
}

// settle says of what the store refused whether it took anything else: then
// it is the message's own fault.
func (b *signInBatch) settle(ctx context.Context) {
	for _, r := range b.refused {
		if b.result.Done > 0 {
			b.poison(ctx, r.queued, SignInRefused, r.err)
		} else {
			b.fail(SignInFailed, r.err, r.queued)
		}
	}
}

// try is one statement, with the consumer's retries.
func (b *signInBatch) try(ctx context.Context, messages []queued) (report ConsumerReport, err error) {
	if err := ctx.Err(); err != nil {
		return report, fmt.Errorf("%w: %w", users.ErrUnavailable, err)
	}
	signIns := make([]SignIn, len(messages))
	for i, q := range messages {
		signIns[i] = q.signIn
	}
	err = guard(func() (err error) {
		report, err = b.h.consumer.Record(ctx, signIns)
		return err
	})
	if err == nil && report.Invalid > 0 { // the clock went back since parse: it was dropped
		err = ErrBadMessage
	}
	return report, err
}

func signInReason(ctx context.Context, err error) SignInReason {
	switch {
	case errors.Is(err, users.ErrSchema):
		return SignInSchema
	case errors.Is(err, users.ErrUnavailable), ctx.Err() != nil:
		return SignInUnavailable
	}
	return SignInFailed
}

// fail gives messages back to the queue.
func (b *signInBatch) fail(why SignInReason, err error, messages ...queued) {
	b.result.Failed += len(messages)
	b.lastWhy, b.lastFail = why, err
	for _, q := range messages {
		b.failed = append(b.failed, q.id)
	}
}

func (b *signInBatch) report(ctx context.Context) {
	r := b.result
	level := slog.LevelInfo
	switch {
	case r.Failed > 0:
		level = slog.LevelError
	case r.Poison > 0 || r.Unknown > 0 || r.Retries > 0:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.Int("messages", r.Messages), slog.Int("done", r.Done), slog.Int("updated", r.Updated), slog.Int("unknown", r.Unknown),
		slog.Int("poison", r.Poison), slog.Int("failed", r.Failed), slog.Int("statements", r.Statements), slog.Int("retries", r.Retries),
		slog.Float64("lag_ms", float64(r.Lag.Milliseconds())), slog.Float64("duration_ms", float64(r.Duration.Microseconds())/1000),
	}
	if b.lastFail != nil {
		attrs = append(attrs, slog.String("reason", string(b.lastWhy)), slog.String("error", b.lastFail.Error()))
	}
	b.log.LogAttrs(ctx, level, "sign-ins recorded", attrs...)
	b.h.cfg.OnResult(r)
}

// SignInsEMF makes a SignInsHandlerConfig.OnResult that writes each event's
// metrics to w, without dimensions of its own: Messages, Updated, Unknown,
// Poison, Failed, Statements, Retries, and Lag and Duration in milliseconds.
// What cannot be written goes to log (slog.Default() if nil).
func SignInsEMF(w *emf.Writer, log *slog.Logger) func(SignInsResult) {
	if log == nil {
		log = slog.Default()
	}
	return func(r SignInsResult) {
		if err := w.Emit(r.metrics(), nil); err != nil {
			log.Error("metrics not written", "error", err.Error())
		}
	}
}

func (r SignInsResult) metrics() []emf.Metric {
	out := []emf.Metric{
		{Name: "Lag", Unit: emf.Milliseconds, Value: float64(r.Lag.Milliseconds())},
		{Name: "Duration", Unit: emf.Milliseconds, Value: float64(r.Duration.Microseconds()) / 1000},
	}
	for _, c := range []struct {
		name string
		n    int
	}{
		{"Messages", r.Messages}, {"Updated", r.Updated}, {"Unknown", r.Unknown}, {"Poison", r.Poison},
		{"Failed", r.Failed}, {"Statements", r.Statements}, {"Retries", r.Retries},
	} {
		out = append(out, emf.Metric{Name: c.name, Unit: emf.Count, Value: float64(c.n)})
	}
	return out
}
