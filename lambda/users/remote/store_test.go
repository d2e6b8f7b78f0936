package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/userstest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	userstest.Exercise(t, func(t *testing.T) users.Store {
		_, store, db := openTable(t)
		return tabled{looped(t, store), db}
	})
}

// Every error of a store comes out as itself, and as nothing else.
func TestErrorsGoOverTheWire(t *testing.T) {
	t.Parallel()
	all := []error{users.ErrNotFound, users.ErrConflict, users.ErrAmbiguous, users.ErrMoveRefused, users.ErrInvalid, users.ErrUnavailable,
		users.ErrSchema, context.DeadlineExceeded, context.Canceled, remote.ErrProtocol}
	wrap := func(errs ...error) error {
		return fmt.Errorf("driver says hana@example.test: %w", errors.Join(errs...))
	}
	for name, row := range map[string]struct {
		behind error
		want   []error
	}{
		"not found":               {wrap(users.ErrNotFound), []error{users.ErrNotFound}},
		"conflict":                {wrap(users.ErrConflict), []error{users.ErrConflict}},
		"ambiguous":               {wrap(users.ErrAmbiguous), []error{users.ErrAmbiguous}},
		"move refused":            {wrap(users.ErrMoveRefused), []error{users.ErrMoveRefused}},
		"invalid":                 {wrap(users.ErrInvalid), []error{users.ErrInvalid}},
		"schema":                  {wrap(users.ErrSchema), []error{users.ErrSchema}},
		"unavailable":             {wrap(users.ErrUnavailable), []error{users.ErrUnavailable}},
		"unavailable, too late":   {wrap(users.ErrUnavailable, context.DeadlineExceeded), []error{users.ErrUnavailable, context.DeadlineExceeded}},
		"unavailable, cancelled":  {wrap(users.ErrUnavailable, context.Canceled), []error{users.ErrUnavailable, context.Canceled}},
		"too late, not said so":   {wrap(context.DeadlineExceeded), []error{users.ErrUnavailable, context.DeadlineExceeded}},
		"conflict of a late call": {wrap(users.ErrConflict, context.DeadlineExceeded), []error{users.ErrConflict, context.DeadlineExceeded}},
		"something else":          {wrap(errors.New("?")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := looped(t, stub{ensure: func(context.Context, users.Identity) (users.Result, error) { return users.Result{}, row.behind }})
			_, err := s.Ensure(t.Context(), hana)
			if err == nil {
				t.Fatal("no error")
			}
			for _, e := range all {
				if got, want := errors.Is(err, e), slices.Contains(row.want, e); got != want {
					t.Errorf("errors.Is(%q, %q) = %v", err, e, got)
				}
			}
			if strings.Contains(err.Error(), "hana") || strings.Contains(err.Error(), "driver") {
				t.Errorf("the error tells what the store said: %v", err)
			}
		})
	}
}

func apiError(status int, code string, fault smithy.ErrorFault) error {
	return &smithy.OperationError{ServiceID: "Lambda", OperationName: "Invoke", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "arn:aws:lambda:secret", Fault: fault},
	}}
}

func functionError(payload string) *lambda.InvokeOutput {
	return &lambda.InvokeOutput{StatusCode: 200, FunctionError: aws.String("Unhandled"), Payload: []byte(payload)}
}

const good = `{"v":1,"result":{"id":"42","outcome":"created"}}`

// What may be over in a moment is asked again, within the time; what is not,
// is not.
func TestRetries(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		out   *lambda.InvokeOutput
		err   error
		again bool
		code  string
	}{
		"throttled":          {nil, apiError(429, "TooManyRequestsException", smithy.FaultClient), true, "TooManyRequestsException"},
		"idle, not ready":    {nil, apiError(502, "ResourceNotReadyException", smithy.FaultServer), true, "ResourceNotReadyException"},
		"no interface yet":   {nil, apiError(502, "ENINotReadyException", smithy.FaultServer), true, "ENINotReadyException"},
		"Lambda is broken":   {nil, apiError(500, "ServiceException", smithy.FaultServer), true, "ServiceException"},
		"being updated":      {nil, apiError(409, "ResourceConflictException", smithy.FaultClient), true, "ResourceConflictException"},
		"typed, no response": {nil, &types.TooManyRequestsException{}, true, "TooManyRequestsException"},
		"no connection":      {nil, errors.New("dial tcp 10.0.0.1: refused"), true, "no answer"},
		"nothing at all":     {nil, nil, true, "no answer"},
		"killed":             {functionError(`{"errorType":"Runtime.ExitError","errorMessage":"secret"}`), nil, true, "function error Runtime.ExitError"},
		"timed out":          {functionError(`{"errorType":"Sandbox.Timedout","errorMessage":"secret"}`), nil, true, "function error Sandbox.Timedout"},
		"odd failure":        {functionError(`{"errorType":"secret text"}`), nil, true, "function error unknown"},
		"broken failure":     {functionError(`{`), nil, true, "function error unknown"},
		"odd code":           {nil, apiError(500, "secret text", smithy.FaultServer), true, "no answer"},
		"no permission":      {nil, apiError(403, "AccessDeniedException", smithy.FaultClient), false, "AccessDeniedException"},
		"no such function":   {nil, apiError(404, "ResourceNotFoundException", smithy.FaultClient), false, "ResourceNotFoundException"},
		"too large":          {nil, apiError(413, "RequestTooLargeException", smithy.FaultClient), false, "RequestTooLargeException"},
		"typed refusal":      {nil, &types.ResourceNotFoundException{}, false, "ResourceNotFoundException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				var told []string
				s := newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
					if tries++; tries == 4 {
						return says(good), nil
					}
					return row.out, row.err
				}), func(c *remote.Config) { c.OnRetry = func(_ context.Context, code string) { told = append(told, code) } })
				started := time.Now()
				got, err := s.Ensure(t.Context(), hana)
				if row.again {
					if err != nil || got.ID != "42" || tries != 4 || !slices.Equal(told, []string{row.code, row.code, row.code}) {
						t.Fatalf("Ensure = %+v, %v after %d tries, told %q", got, err, tries, told)
					}
					if took := time.Since(started); took < 175*time.Millisecond || took > 350*time.Millisecond {
						t.Errorf("pauses took %v", took)
					}
					return
				}
				if !errors.Is(err, users.ErrUnavailable) || tries != 1 || !strings.HasSuffix(err.Error(), ": "+row.code) {
					t.Fatalf("Ensure: %v after %d tries", err, tries)
				}
			})
		})
	}
}

// The function never gets ready: there is an answer before the time is over.
func TestRetriesEndWithTheTime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ timeout, deadline, atMost time.Duration }{
		"the caller's time": {0, time.Second, time.Second},
		"our own":           {2 * time.Second, time.Hour, 2 * time.Second},
		"nobody's":          {0, 0, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				s := newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
					tries++
					return nil, apiError(502, "ResourceNotReadyException", smithy.FaultServer)
				}), func(c *remote.Config) { c.Timeout = row.timeout })
				ctx := t.Context()
				if row.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.deadline)
					defer cancel()
				}
				started := time.Now()
				_, err := s.Ensure(ctx, hana)
				took := time.Since(started)
				if !errors.Is(err, users.ErrUnavailable) || took > row.atMost || took < row.atMost/2 || tries < 4 {
					t.Fatalf("Ensure: %v after %v and %d tries", err, took, tries)
				}
			})
		})
	}
}

// The function hangs: the caller goes on when its time is over.
func TestCallerDoesNotWaitLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, invokeFunc(func(ctx context.Context, _ *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			<-ctx.Done()
			return nil, &aws.RequestCanceledError{Err: ctx.Err()}
		}))
		started := time.Now()
		if _, err := s.Ensure(t.Context(), hana); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != 5*time.Second {
			t.Errorf("Ensure: %v after %v", err, time.Since(started))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := s.IDBySub(ctx, "x"); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("IDBySub: %v", err)
		}
	})
}

// The far side gives up before the near side does, and says why.
func TestFarSideStopsFirst(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		deadline time.Duration // of the caller
		lambda   time.Duration // of the function
		start    time.Duration // that the function needs to start
		skew     time.Duration // of the function's clock
		want     time.Duration // that the store gets
	}{
		"the caller's":                 {time.Second, time.Minute, 0, 0, 900 * time.Millisecond},
		"a short one":                  {100 * time.Millisecond, time.Minute, 0, 0, 50 * time.Millisecond},
		"Lambda's":                     {4 * time.Second, time.Second, 0, 0, 900 * time.Millisecond},
		"a cold start":                 {2 * time.Second, time.Minute, time.Second, 0, 900 * time.Millisecond},
		"a clock that is behind":       {time.Second, time.Minute, 0, -time.Hour, 900 * time.Millisecond},
		"a clock that is far ahead":    {time.Second, time.Minute, 0, time.Hour, 900 * time.Millisecond},
		"a clock that is little ahead": {time.Second, time.Minute, 0, 100 * time.Millisecond, 800 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got time.Duration
				h := newHandler(t, stub{ensure: func(ctx context.Context, _ users.Identity) (users.Result, error) {
					end, _ := ctx.Deadline()
					got = time.Until(end)
					<-ctx.Done()
					return users.Result{}, fmt.Errorf("%w: %w", users.ErrUnavailable, ctx.Err())
				}}, func(c *remote.HandlerConfig) { c.Now = func() time.Time { return time.Now().Add(row.skew) } })
				calls := 0
				s := newStore(t, invokeFunc(func(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
					calls++
					time.Sleep(row.start) // the clock of synctest
					own, cancel := context.WithTimeout(context.WithoutCancel(ctx), row.lambda)
					defer cancel()
					raw, err := h(own, in.Payload)
					return says(string(raw)), err
				}))
				ctx, cancel := context.WithTimeout(t.Context(), row.deadline)
				defer cancel()
				_, err := s.Ensure(ctx, hana)
				if got != row.want || calls != 1 {
					t.Errorf("the store gets %v in %d calls, want %v in one", got, calls, row.want)
				}
				if !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
					t.Errorf("Ensure: %v, the context %v", err, ctx.Err())
				}
			})
		})
	}
}

// Answers of another function, of another version, or cut short.
func TestAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	id := func(s *remote.Store) error { _, err := s.IDBySub(t.Context(), "x"); return err }
	ensure := func(s *remote.Store) error { _, err := s.Ensure(t.Context(), hana); return err }
	page := func(s *remote.Store) error { _, err := s.Page(t.Context(), "", 2); return err }
	record := func(s *remote.Store) error {
		_, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "x", At: time.Unix(1, 0)}})
		return err
	}
	get := func(s *remote.Store) error { _, err := s.Get(t.Context(), "1"); return err }
	ping := func(s *remote.Store) error { return s.Ping(t.Context()) }
	for name, row := range map[string]struct {
		call   func(*remote.Store) error
		answer string
	}{
		"nothing":                 {id, ``},
		"null":                    {id, `null`},
		"text":                    {id, `"ok"`},
		"a list":                  {id, `[]`},
		"half":                    {id, `{"v":1,"result":{"id":"4`},
		"a page of HTML":          {id, `<html>`},
		"no version":              {id, `{"result":{"id":"42"}}`},
		"version 2":               {id, `{"v":2,"result":{"id":"42"}}`},
		"version as text":         {id, `{"v":"1","result":{"id":"42"}}`},
		"neither":                 {id, `{"v":1}`},
		"both":                    {id, `{"v":1,"result":{"id":"42"},"error":{"code":"conflict"}}`},
		"no id":                   {id, `{"v":1,"result":{}}`},
		"empty id":                {id, `{"v":1,"result":{"id":""}}`},
		"id as a number":          {id, `{"v":1,"result":{"id":42}}`},
		"a result that is text":   {id, `{"v":1,"result":"42"}`},
		"a null result":           {id, `{"v":1,"result":null}`},
		"a trigger's answer":      {id, `{"triggerSource":"x","response":{}}`},
		"two values":              {id, `{"v":1,"result":{"id":"42"}}{}`},
		"unknown outcome":         {ensure, `{"v":1,"result":{"id":"42","outcome":"guessed"}}`},
		"no outcome":              {ensure, `{"v":1,"result":{"id":"42"}}`},
		"ensure without id":       {ensure, `{"v":1,"result":{"outcome":"created"}}`},
		"the handler is older":    {ensure, `{"v":1,"error":{"code":"operation"}}`},
		"refused version":         {ensure, `{"v":1,"error":{"code":"version"}}`},
		"refused request":         {ensure, `{"v":1,"error":{"code":"bad_request"}}`},
		"no rows":                 {page, `{"v":1,"result":{}}`},
		"null rows":               {page, `{"v":1,"result":{"users":null}}`},
		"a row without id":        {page, `{"v":1,"result":{"users":[{"sub":"x"}]}}`},
		"a row that is null":      {page, `{"v":1,"result":{"users":[null]}}`},
		"too many rows":           {page, `{"v":1,"result":{"users":[{"id":"1"},{"id":"2"},{"id":"3"}]}}`},
		"more of nothing":         {page, `{"v":1,"result":{"users":[],"more":true}}`},
		"more than was asked":     {page, `{"v":1,"result":{"users":[{"id":"1"},{"id":"2"}],"more":true}}`},
		"more updates than asked": {record, `{"v":1,"result":{"updated":2}}`},
		"fewer than none":         {record, `{"v":1,"result":{"updated":-1}}`},
		"a row without key":       {get, `{"v":1,"result":{"sub":"x"}}`},
		"a bad time":              {get, `{"v":1,"result":{"id":"1","created":"yesterday"}}`},
		"ping without result":     {ping, `{"v":1}`},
		"too large":               {id, `{"v":1,"result":{"id":"` + strings.Repeat("x", 6<<20) + `"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			s := newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
				tries++
				return says(row.answer), nil
			}))
			if err := row.call(s); !errors.Is(err, remote.ErrProtocol) || errors.Is(err, users.ErrUnavailable) || tries != 1 {
				t.Errorf("%v after %d tries, want ErrProtocol", err, tries)
			}
		})
	}
}

// A newer handler may say more.
func TestNewerAnswers(t *testing.T) {
	t.Parallel()
	s := newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		return says(`{"v":1,"took_ms":3,"result":{"id":"42","outcome":"linked","table":"users"}}`), nil
	}))
	if got, err := s.Ensure(t.Context(), hana); err != nil || got != (users.Result{ID: "42", Outcome: users.Linked}) {
		t.Errorf("Ensure = %+v, %v", got, err)
	}
	s = newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		return says(`{"v":1,"error":{"code":"new_kind"}}`), nil
	}))
	if _, err := s.Ensure(t.Context(), hana); err == nil || errors.Is(err, users.ErrUnavailable) || errors.Is(err, remote.ErrProtocol) {
		t.Errorf("an unknown code: %v", err)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var in *lambda.InvokeInput
	s := newStore(t, invokeFunc(func(_ context.Context, got *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		in = got
		return says(good), nil
	}), func(c *remote.Config) { c.Qualifier = "live" })
	if _, err := s.Ensure(t.Context(), hana); err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal(in.Payload, &sent); err != nil {
		t.Fatal(err)
	}
	left, end := sent["timeout_ms"].(float64), sent["deadline_ms"].(float64)
	delete(sent, "timeout_ms")
	delete(sent, "deadline_ms")
	want := map[string]any{"v": 1.0, "op": "ensure", "args": map[string]any{
		"sub": hana.Sub, "provider": "Kakao", "subject": hana.Subject, "email": hana.Email, "name": hana.Name}}
	if !reflect.DeepEqual(sent, want) || *in.Qualifier != "live" || *in.FunctionName != "dbsync" {
		t.Errorf("sent %v to %s:%s", sent, *in.FunctionName, *in.Qualifier)
	}
	if left < 3000 || left > 4900 || end < float64(time.Now().UnixMilli()) {
		t.Errorf("timeout %v ms, deadline %v", left, end)
	}
}

// What cannot be is refused here: nothing is invoked.
func TestNothingIsInvokedInVain(t *testing.T) {
	t.Parallel()
	s := newStore(t, invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		t.Error("invoked")
		return says(good), nil
	}))
	if _, err := s.Ensure(t.Context(), users.Identity{}); !errors.Is(err, users.ErrInvalid) {
		t.Errorf("Ensure: %v", err)
	}
	if _, err := s.IDBySub(t.Context(), "\xff"); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("IDBySub: %v", err)
	}
	if _, err := s.Get(t.Context(), "\xff"); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if r, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "", At: time.Unix(1, 0)}}); err != nil || r.Updated != 0 {
		t.Errorf("RecordSignIns = %+v, %v", r, err)
	}
	for _, limit := range []int{-1, 0, users.MaxPage + 1} {
		if _, err := s.Page(t.Context(), "", limit); !errors.Is(err, users.ErrInvalid) {
			t.Errorf("Page: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.RecordSignIns(ctx, nil); !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("RecordSignIns: %v", err)
	}
}

// The largest batches and pages fit into Lambda's payload.
func TestSizes(t *testing.T) {
	t.Parallel()
	sub := func(n int) string { return fmt.Sprintf("%04d", n) + strings.Repeat("<", users.MaxIDLength-4) } // "<" takes six bytes
	largest := 0
	count := func(l *loop) remote.Invoker {
		return invokeFunc(func(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			out, err := l.Invoke(ctx, in)
			if err == nil {
				largest = max(largest, len(in.Payload), len(out.Payload))
			}
			return out, err
		})
	}
	t.Run("sign-ins", func(t *testing.T) {
		var sizes []int
		store := stub{record: func(_ context.Context, b []users.SignIn) (users.SignInReport, error) {
			sizes = append(sizes, len(b))
			r := users.SignInReport{Updated: len(b) / 2}
			for _, s := range b[len(b)/2:] {
				r.Unknown = append(r.Unknown, s.Sub)
			}
			return r, nil
		}}
		s := newStore(t, count(&loop{handler: newHandler(t, store), timeout: time.Minute}), patient)
		var batch []users.SignIn
		for n := range 2500 {
			batch = append(batch, users.SignIn{Sub: sub(n), At: time.Unix(int64(n), 123456789)})
		}
		r, err := s.RecordSignIns(t.Context(), batch)
		if err != nil || r.Updated != 1250 || len(r.Unknown) != 1250 || !slices.Equal(sizes, []int{1000, 1000, 500}) {
			t.Errorf("updated %d, unknown %d, batches %v, %v", r.Updated, len(r.Unknown), sizes, err)
		}
	})
	for name, row := range map[string]struct{ rows, name, calls int }{
		"a full page of long rows": {users.MaxPage, 400, 1},
		"rows of a megabyte":       {12, 1 << 20, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var table []users.User
			for n := range row.rows {
				table = append(table, users.User{ID: fmt.Sprintf("%06d", n), Sub: sub(n), Name: strings.Repeat("x", row.name),
					Providers: map[string]string{"Kakao": sub(n)}, Created: time.Unix(int64(n), 0).UTC()})
			}
			calls := 0
			store := stub{page: func(_ context.Context, after string, limit int) ([]users.User, error) {
				calls++
				from, _ := slices.BinarySearchFunc(table, after+"\x00", func(u users.User, id string) int { return strings.Compare(u.ID, id) })
				return table[from:min(len(table), from+limit)], nil
			}}
			s := newStore(t, count(&loop{handler: newHandler(t, store), timeout: time.Minute}), patient)
			got, err := s.Page(t.Context(), "", users.MaxPage)
			if err != nil || !reflect.DeepEqual(got, table) || calls != row.calls {
				t.Errorf("%d rows in %d calls, %v", len(got), calls, err)
			}
		})
	}
	if largest < 1<<20 || largest > 6<<20 {
		t.Errorf("the largest payload has %d bytes", largest)
	}
	t.Run("one row that is too large", func(t *testing.T) {
		huge := users.User{ID: "1", Name: strings.Repeat("x", 6<<20)}
		s := looped(t, stub{
			page: func(context.Context, string, int) ([]users.User, error) { return []users.User{huge}, nil },
			get:  func(context.Context, string) (users.User, error) { return huge, nil },
		})
		if _, err := s.Page(t.Context(), "", 1); err == nil || errors.Is(err, users.ErrUnavailable) {
			t.Errorf("Page: %v", err)
		}
		if _, err := s.Get(t.Context(), "1"); err == nil || errors.Is(err, users.ErrUnavailable) {
			t.Errorf("Get: %v", err)
		}
	})
}

func TestPing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		store users.Store
		want  error
	}{
		"reached":               {stub{}, nil},
		"a store without ping":  {struct{ users.Store }{}, nil},
		"the database is gone":  {stub{ping: func(context.Context) error { return errors.New("gone") }}, users.ErrUnavailable},
		"the table is not ours": {stub{ping: func(context.Context) error { return users.ErrSchema }}, users.ErrSchema},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := looped(t, row.store).Ping(t.Context()); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
				t.Errorf("Ping: %v, want %v", err, row.want)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	api := invokeFunc(nil)
	for name, cfg := range map[string]remote.Config{
		"no function":        {},
		"negative timeout":   {Function: "f", Timeout: -1},
		"negative reserve":   {Function: "f", Reserve: -1},
		"negative backoff":   {Function: "f", Backoff: -1},
		"negative backoff 2": {Function: "f", MaxBackoff: -1},
	} {
		if _, err := remote.New(api, cfg); !errors.Is(err, remote.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := remote.New(nil, remote.Config{Function: "f"}); !errors.Is(err, remote.ErrConfig) {
		t.Errorf("no client: %v", err)
	}
	if _, err := remote.NewHandler(nil, remote.HandlerConfig{}); !errors.Is(err, remote.ErrConfig) {
		t.Errorf("no store: %v", err)
	}
	for _, cfg := range []remote.HandlerConfig{{Timeout: -1}, {Reserve: -1}} {
		if _, err := remote.NewHandler(stub{}, cfg); !errors.Is(err, remote.ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// Whatever the function says, a store returns rows or an error of its own.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{good, `{"v":1,"error":{"code":"conflict"}}`, `{"v":1,"error":{"code":"unavailable","cause":"deadline"}}`,
		`{"v":1,"result":{"users":[{"id":"1","providers":{"Kakao":"7"},"last_login":"2026-03-02T09:00:00Z"}],"more":true}}`,
		`{"v":1,"result":{"updated":1,"unknown":["x"]}}`, `{"v":2}`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		calls := 0
		s, err := remote.New(invokeFunc(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			calls++
			return &lambda.InvokeOutput{Payload: answer}, nil
		}), remote.Config{Function: "dbsync"})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.Ensure(t.Context(), hana); err == nil && (r.ID == "" || r.Outcome == "") {
			t.Errorf("Ensure = %+v", r)
		}
		if id, err := s.IDBySub(t.Context(), "x"); (err == nil) == (id == "") {
			t.Errorf("IDBySub = %q, %v", id, err)
		}
		if r, err := s.RecordSignIns(t.Context(), []users.SignIn{{Sub: "x", At: time.Unix(1, 0)}}); err == nil && r.Updated+len(r.Unknown) > 1 {
			t.Errorf("RecordSignIns = %+v", r)
		}
		if u, err := s.Get(t.Context(), "1"); (err == nil) == (u.ID == "") {
			t.Errorf("Get = %+v, %v", u, err)
		}
		calls = 0
		page, err := s.Page(t.Context(), "", 3)
		if len(page) > 3 || calls > 3 || err != nil && page != nil {
			t.Errorf("Page = %d rows in %d calls, %v", len(page), calls, err)
		}
	})
}
