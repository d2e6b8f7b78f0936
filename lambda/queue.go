package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// MemoryQueueConfig sizes a [MemoryQueue]. It is copied.
type MemoryQueueConfig struct {
	// Size is how many sign-ins may wait. Defaults to 10,000.
	Size int
	// MaxBatch is how many are recorded at once. Defaults to 500.
	MaxBatch int
	// Window is how long the first of a batch waits for others. Defaults to
	// 50 ms.
	Window time.Duration
	// Logger gets a line for what is lost. Defaults to slog.Default().
	Logger *slog.Logger
}

// MemoryQueue is a queue of sign-ins inside this process: for local work and
// for a server that runs all the time. What waits in it is lost with the
// process unless it is closed, and a Lambda function is frozen while it waits:
// there use [SQSSignIns].
type MemoryQueue struct {
	consumer *Consumer
	cfg      MemoryQueueConfig
	waiting  chan SignIn
	done     chan struct{} // closed when the worker has ended
	stop     context.CancelCauseFunc

	mu     sync.RWMutex // guards closed, and sends against the close of waiting
	closed bool
}

var _ SignIns = (*MemoryQueue)(nil)

// NewMemoryQueue starts a queue whose sign-ins consumer records. Close ends it.
func NewMemoryQueue(consumer *Consumer, cfg MemoryQueueConfig) (*MemoryQueue, error) {
	if consumer == nil {
		return nil, fmt.Errorf("%w: consumer: required", ErrConfig)
	}
	if cfg.Size < 0 || cfg.MaxBatch < 0 || cfg.Window < 0 {
		return nil, fmt.Errorf("%w: Size, MaxBatch and Window: at least 0", ErrConfig)
	}
	setDefault(&cfg.Size, 10_000)
	setDefault(&cfg.MaxBatch, 500)
	setDefault(&cfg.Window, 50*time.Millisecond)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	ctx, stop := context.WithCancelCause(context.Background())
	q := &MemoryQueue{consumer: consumer, cfg: cfg, waiting: make(chan SignIn, cfg.Size), done: make(chan struct{}), stop: stop}
	go q.work(ctx)
	return q, nil
}

// Send implements [SignIns]. It never waits: a full queue is [ErrQueueFull], a
// closed one [ErrQueueClosed].
func (q *MemoryQueue) Send(ctx context.Context, s SignIn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return ErrQueueClosed
	}
	select {
	case q.waiting <- s:
		return nil
	default:
		return ErrQueueFull
	}
}

// Close takes no more sign-ins and waits until all that wait are recorded, or
// ctx ends; then the rest is lost, which is its error. It may be called again.
func (q *MemoryQueue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.waiting)
	}
	q.mu.Unlock()
	defer q.stop(ErrQueueClosed)
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	q.stop(ErrQueueClosed)
	<-q.done // the worker now ends at once
	return fmt.Errorf("lambda: sign-ins lost: %w", ctx.Err())
}

func (q *MemoryQueue) work(ctx context.Context) {
	defer close(q.done)
	lost := 0
	for {
		batch := q.next()
		if len(batch) == 0 {
			break
		}
		if _, err := q.consumer.Record(ctx, batch); err != nil {
			lost += len(batch)
			if errors.Is(context.Cause(ctx), ErrQueueClosed) {
				continue // Close gave up: count what is left
			}
			q.cfg.Logger.LogAttrs(ctx, slog.LevelError, "sign-ins lost", slog.Int("count", len(batch)))
		}
	}
	if ctx.Err() != nil && lost > 0 {
		q.cfg.Logger.LogAttrs(ctx, slog.LevelError, "sign-ins lost at close", slog.Int("count", lost))
	}
}

// next is the next batch, empty when the queue is closed and empty.
func (q *MemoryQueue) next() []SignIn {
	first, ok := <-q.waiting
	if !ok {
		return nil
	}
	batch := []SignIn{first}
	window := time.NewTimer(q.cfg.Window)
	defer window.Stop()
	for len(batch) < q.cfg.MaxBatch {
		select {
		case s, ok := <-q.waiting:
			if !ok {
				return batch
			}
			batch = append(batch, s)
		case <-window.C:
			return batch
		}
	}
	return batch
}
