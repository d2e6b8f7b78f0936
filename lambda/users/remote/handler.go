package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// Handler is what a Lambda function starts: awslambda.Start(handler). It is
// safe for concurrent use. It returns no errors, since those would reach the
// caller as text: failures are in the answer.
type Handler func(ctx context.Context, raw json.RawMessage) (json.RawMessage, error)

// HandlerConfig wires a [Handler]. It is copied.
type HandlerConfig struct {
	// Timeout bounds one operation where the caller says nothing and Lambda
	// has no nearer end. Defaults to 5 s.
	Timeout time.Duration
	// Reserve is how much of Lambda's own deadline is kept back to answer in,
	// but at most half of it. Defaults to 100 ms.
	Reserve time.Duration
	// Logger gets one line per call, without personal data. Defaults to
	// slog.Default().
	Logger *slog.Logger
	// OnCall is told how each call ended, for metrics. It is called before the
	// answer is given, so it must not block, and it must be safe for concurrent
	// use. Warm-ups are not told. Defaults to nothing.
	OnCall func(Call)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Call is how one call of a [Handler] ended. Its texts are few and hold no
// personal data, so they may be metric labels.
type Call struct {
	// Op is "ensure", "id_by_sub", "record_sign_ins", "get", "page", "ping", or
	// "unknown".
	Op string
	// Code is "ok", or that of the error: "not_found", "conflict", "ambiguous",
	// "move_refused", "invalid", "schema", "unavailable", "bad_request",
	// "version", "operation", "failed".
	Code string
	// Outcome is what an ensure did.
	Outcome users.Outcome
	// Rows counts those that sign-ins updated, or that a page has.
	Rows int
	// Unknown counts sign-ins of nobody.
	Unknown  int
	Duration time.Duration
}

// NewHandler serves store. Its error is [ErrConfig].
func NewHandler(store users.Store, cfg HandlerConfig) (Handler, error) {
	if store == nil {
		return nil, fmt.Errorf("%w: store: required", ErrConfig)
	}
	if cfg.Timeout < 0 || cfg.Reserve < 0 {
		return nil, fmt.Errorf("%w: Timeout and Reserve: at least 0", ErrConfig)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = 100 * time.Millisecond
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.OnCall == nil {
		cfg.OnCall = func(Call) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &handler{store: store, cfg: cfg}
	return h.handle, nil
}

type handler struct {
	store users.Store
	cfg   HandlerConfig
}

func (h *handler) handle(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	started := time.Now()
	r, err := parse(raw)
	if r.Warmup && r.Op == "" {
		return json.RawMessage(`{"warmup":true}`), nil
	}
	call := Call{Op: "unknown", Code: "ok"}
	var result json.RawMessage
	if err == nil {
		result, err = h.serve(ctx, r, &call)
	}
	answer := response{V: version, Result: result}
	if err != nil {
		answer = response{V: version, Error: toWire(err)}
		call.Code = answer.Error.Code
	}
	call.Duration = time.Since(started)
	h.report(ctx, call, err)
	return json.Marshal(answer)
}

// parse reads the envelope. Errors quote nothing of it.
func parse(raw json.RawMessage) (request, error) {
	var r request
	switch {
	case len(raw) > maxPayload || !decode(raw, &r):
		return request{}, errBadRequest
	case r.V != version:
		return r, errVersion
	}
	return r, nil
}

// serve runs the operation. A panic is a failure like any other: the process
// goes on, and its value, which may quote anything, is told nobody.
func (h *handler) serve(ctx context.Context, r request, call *Call) (result json.RawMessage, err error) {
	op, known := operations[r.Op]
	if !known {
		return nil, errOperation
	}
	call.Op = r.Op
	ctx, cancel := context.WithTimeout(ctx, h.left(ctx, r))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			result, err = nil, fmt.Errorf("panic: %T", v)
		}
	}()
	got, err := op(h, ctx, r.Args, call)
	if err != nil {
		return nil, err
	}
	result, err = json.Marshal(got)
	if err == nil && len(result) > maxPayload-1024 {
		return nil, errTooLarge
	}
	return result, err
}

// left is how long the operation may take: as the caller waits, and as Lambda
// lets us live.
func (h *handler) left(ctx context.Context, r request) time.Duration {
	left := h.cfg.Timeout
	if r.TimeoutMS > 0 && r.TimeoutMS < time.Hour.Milliseconds() {
		left = min(left, time.Duration(r.TimeoutMS)*time.Millisecond)
		// Part of the caller's time may have gone into our start. If it were all
		// gone, though, its clock is more likely off than a caller gone: Lambda
		// does not keep calls back for seconds.
		if byClock := time.UnixMilli(r.DeadlineMS).Sub(h.cfg.Now()); r.DeadlineMS > 0 && byClock > 0 {
			left = min(left, byClock)
		}
	}
	if end, ok := ctx.Deadline(); ok {
		ours := time.Until(end)
		left = min(left, ours-min(h.cfg.Reserve, ours/2))
	}
	return left
}

func (h *handler) report(ctx context.Context, c Call, err error) {
	level := slog.LevelInfo
	switch c.Code {
	case "ok", "not_found":
	case "conflict", "ambiguous", "move_refused", "invalid":
		level = slog.LevelWarn
	default:
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("op", c.Op), slog.String("code", c.Code),
		slog.Float64("duration_ms", float64(c.Duration.Microseconds())/1000)}
	if c.Outcome != "" {
		attrs = append(attrs, slog.String("user", string(c.Outcome)))
	}
	if c.Rows > 0 || c.Unknown > 0 {
		attrs = append(attrs, slog.Int("rows", c.Rows), slog.Int("unknown", c.Unknown))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("request_id", lc.AwsRequestID))
	}
	h.cfg.Logger.LogAttrs(ctx, level, "dbsync", attrs...)
	h.cfg.OnCall(c)
}

// operations are what a request may ask for.
var operations = map[string]func(h *handler, ctx context.Context, args json.RawMessage, call *Call) (any, error){
	opEnsure:  (*handler).ensure,
	opIDBySub: (*handler).idBySub,
	opRecord:  (*handler).record,
	opGet:     (*handler).get,
	opPage:    (*handler).page,
	opPing:    (*handler).ping,
}

// maxAhead is how far the caller's clock may be ahead of ours, as for sign-ins
// from the queue. A time further in the future would hide every later sign-in.
const maxAhead = 5 * time.Minute

func (h *handler) ensure(ctx context.Context, raw json.RawMessage, call *Call) (any, error) {
	var args ensureArgs
	if !decode(raw, &args) {
		return nil, errBadRequest
	}
	id := users.Identity(args)
	if err := id.Validate(); err != nil {
		return nil, err
	}
	if id.At.After(h.cfg.Now().Add(maxAhead)) {
		id.At = time.Time{} // left to the queue, whose consumer waits until the time has come
	}
	got, err := h.store.Ensure(ctx, id)
	call.Outcome = got.Outcome
	return ensureResult(got), err
}

func (h *handler) idBySub(ctx context.Context, raw json.RawMessage, _ *Call) (any, error) {
	var args subArgs
	if !decode(raw, &args) {
		return nil, errBadRequest
	}
	id, err := h.store.IDBySub(ctx, args.Sub)
	return idMessage{id}, err
}

func (h *handler) record(ctx context.Context, raw json.RawMessage, call *Call) (any, error) {
	var args recordArgs
	if !decode(raw, &args) || len(args.SignIns) > maxBatch {
		return nil, errBadRequest
	}
	batch := make([]users.SignIn, len(args.SignIns))
	for i, one := range args.SignIns {
		batch[i] = users.SignIn(one)
	}
	got, err := h.store.RecordSignIns(ctx, batch)
	call.Rows, call.Unknown = got.Updated, len(got.Unknown)
	return recordResult(got), err
}

func (h *handler) get(ctx context.Context, raw json.RawMessage, _ *Call) (any, error) {
	var args idMessage
	if !decode(raw, &args) {
		return nil, errBadRequest
	}
	got, err := h.store.Get(ctx, args.ID)
	return user(got), err
}

func (h *handler) page(ctx context.Context, raw json.RawMessage, call *Call) (any, error) {
	var args pageArgs
	if !decode(raw, &args) {
		return nil, errBadRequest
	}
	if args.Limit < 1 || args.Limit > users.MaxPage {
		return nil, fmt.Errorf("%w: limit", users.ErrInvalid)
	}
	rows, err := h.store.Page(ctx, args.After, args.Limit)
	if err != nil {
		return nil, err
	}
	got, err := fit(rows)
	call.Rows = len(got.Users)
	return got, err
}

// fit is as many of the rows as one answer holds.
func fit(rows []users.User) (pageResult, error) {
	out, size := pageResult{Users: make([]json.RawMessage, 0, len(rows))}, 0
	for _, u := range rows {
		raw, err := json.Marshal(user(u))
		if err != nil {
			return out, err
		}
		size += len(raw) + 1
		if size > maxRows {
			out.More = true
			break
		}
		out.Users = append(out.Users, raw)
	}
	if out.More && len(out.Users) == 0 {
		return out, errTooLarge
	}
	return out, nil
}

func (h *handler) ping(ctx context.Context, _ json.RawMessage, _ *Call) (any, error) {
	if p, ok := h.store.(interface{ Ping(context.Context) error }); ok {
		if err := p.Ping(ctx); err != nil && !errors.Is(err, users.ErrSchema) {
			return nil, fmt.Errorf("%w: %w", users.ErrUnavailable, err)
		} else if err != nil {
			return nil, err
		}
	}
	return struct{}{}, nil
}
