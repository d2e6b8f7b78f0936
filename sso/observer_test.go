package sso_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// watcher remembers what it is told.
type watcher struct {
	mu     sync.Mutex // guards what follows
	tokens []sso.VerifyEvent
	keys   []sso.KeysEvent
}

func (w *watcher) Verified(_ context.Context, e sso.VerifyEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = append(w.tokens, e)
}

func (w *watcher) KeysFetched(e sso.KeysEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = append(w.keys, e)
}

// take returns what it was told since the last take.
func (w *watcher) take() ([]sso.VerifyEvent, []sso.KeysEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tokens, keys := w.tokens, w.keys
	w.tokens, w.keys = nil, nil
	return tokens, keys
}

func TestReasons(t *testing.T) {
	t.Parallel()
	all := sso.Reasons()
	seen := make(map[sso.Reason]bool)
	for _, r := range all {
		if r == "" || seen[r] || strings.Trim(string(r), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("reason %q is empty, twice there, or no plain name", r)
		}
		seen[r] = true
	}
	for _, err := range []error{nil, sso.ErrMissing, sso.ErrExpired, context.Canceled, errUnknownToSSO{}} {
		if r := sso.ReasonOf(err); !seen[r] {
			t.Errorf("%v: reason %q is not among Reasons", err, r)
		}
	}
	all[0] = "changed"
	if sso.Reasons()[0] != "ok" {
		t.Error("the slice is shared")
	}
	if keys := sso.KeysReasons(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
		t.Errorf("a reason of keys twice: %v", keys)
	}
}

type errUnknownToSSO struct{}

func (errUnknownToSSO) Error() string { return "unknown" }

func TestLogObserver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		tell func(o sso.Observer)
		want string
	}{
		{"accepted", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "ok"})
		}, ""},
		{"forged", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Use: sso.UseAccess, Reason: "signature", Duration: time.Millisecond})
		}, `level=INFO msg="sso: token refused" use=access reason=signature remembered=false duration=1ms`},
		{"keys unavailable", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Reason: "keys_unavailable"})
		}, `level=INFO msg="sso: token refused" use="" reason=keys_unavailable remembered=false duration=0s`},
		{"expired", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Use: sso.UseID, Reason: "expired", Remembered: true})
		}, `level=DEBUG msg="sso: token refused" use=id reason=expired remembered=true duration=0s`},
		{"no token", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Use: sso.UseID, Reason: "missing"})
		}, `level=DEBUG msg="sso: token refused" use=id reason=missing remembered=false duration=0s`},
		{"caller left", func(o sso.Observer) {
			o.Verified(context.Background(), sso.VerifyEvent{Use: sso.UseID, Reason: "canceled"})
		}, `level=DEBUG msg="sso: token refused" use=id reason=canceled remembered=false duration=0s`},
		{"fetched", func(o sso.Observer) {
			o.KeysFetched(sso.KeysEvent{Issuer: "https://i", Reason: sso.KeysOK, Keys: 2, Duration: time.Second})
		}, `level=DEBUG msg="sso: keys fetched" issuer=https://i reason=ok keys=2 age=0s stale=false duration=1s`},
		{"stale", func(o sso.Observer) {
			o.KeysFetched(sso.KeysEvent{Issuer: "https://i", Reason: sso.KeysTimeout, Keys: 2, Age: 2 * time.Hour, Stale: true, Duration: 5 * time.Second})
		}, `level=WARN msg="sso: keys could not be fetched; earlier ones are used" issuer=https://i reason=timeout keys=2 age=2h0m0s stale=true duration=5s`},
		{"down", func(o sso.Observer) {
			o.KeysFetched(sso.KeysEvent{Issuer: "https://i", Reason: sso.KeysUnreachable})
		}, `level=WARN msg="sso: keys could not be fetched and there are none; tokens are refused" issuer=https://i reason=unreachable keys=0 age=0s stale=false duration=0s`},
		{"not switched", func(o sso.Observer) {
			o.KeysFetched(sso.KeysEvent{Issuer: "https://i", Reason: sso.KeysNotSwitched})
		}, `level=DEBUG msg="sso: the pool does not use its updated issuer form" issuer=https://i reason=not_switched keys=0 age=0s stale=false duration=0s`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			row.tell(sso.NewLogObserver(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
				Level: slog.LevelDebug,
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			}))))
			if got := strings.TrimSuffix(out.String(), "\n"); got != row.want {
				t.Errorf("\n got %s\nwant %s", got, row.want)
			}
		})
	}
	// Without a logger it is the default one, and not a panic.
	sso.NewLogObserver(nil).Verified(t.Context(), sso.VerifyEvent{Reason: "ok"})
}

func TestObservers(t *testing.T) {
	t.Parallel()
	var a, b watcher
	o := sso.Observers(nil, &a, &b)
	o.Verified(t.Context(), sso.VerifyEvent{Reason: "ok"})
	o.KeysFetched(sso.KeysEvent{Reason: sso.KeysOK})
	for _, w := range []*watcher{&a, &b} {
		if tokens, keys := w.take(); len(tokens) != 1 || len(keys) != 1 {
			t.Errorf("told of %d tokens and %d fetches, want 1 and 1", len(tokens), len(keys))
		}
	}
	sso.Observers().Verified(t.Context(), sso.VerifyEvent{})
}
