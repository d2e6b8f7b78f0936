package remote_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/remote"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/userstest"
)

// The test binary is the function too.
func TestMain(m *testing.M) {
	if path := os.Getenv("DBSYNC_TABLE"); path != "" {
		serve(path)
	}
	os.Exit(m.Run())
}

func serve(path string) {
	store, err := sqlite.Open(context.Background(), path, sqlite.Config{BusyTimeout: 15 * time.Second})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	h, err := remote.NewHandler(moody{store, path}, remote.HandlerConfig{Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	awslambda.Start(h)
}

// moody does what the name of the user says.
type moody struct {
	*sqlite.Store
	path string
}

func (m moody) Ensure(ctx context.Context, id users.Identity) (users.Result, error) {
	switch id.Name {
	case "die before":
		m.dieOnce()
	case "hang":
		// As a statement that nobody interrupts: for 300 ms, whatever ctx says.
		<-time.After(300 * time.Millisecond)
		ctx = context.WithoutCancel(ctx)
	case "die always":
		os.Exit(9)
	}
	got, err := m.Store.Ensure(ctx, id)
	if id.Name == "die after" {
		m.dieOnce()
	}
	return got, err
}

// dieOnce ends the process, but not the next one over the same table.
func (m moody) dieOnce() {
	f, err := os.OpenFile(m.path+".died", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_ = f.Close()
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
}

// function is the handler as a process of its own behind Lambda's Invoke API,
// and an SDK client of that.
func function(t *testing.T, path string, instances int) (*lambda.Client, *lambdaruntime.Runtime) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := lambdaruntime.Start(lambdaruntime.Config{
		Command: []string{self}, Env: []string{"DBSYNC_TABLE=" + path, "TMPDIR=" + filepath.Dir(path)},
		FunctionName: "dbsync", Timeout: 20 * time.Second, Instances: instances,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(r.URL()), HTTPClient: awshttp.NewClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	}), r
}

// patient gives a start under load its time.
func patient(c *remote.Config) { c.Timeout = 20 * time.Second }

func TestStoreOverARealProcess(t *testing.T) {
	t.Parallel()
	userstest.Exercise(t, func(t *testing.T) users.Store {
		path, _, db := openTable(t)
		api, _ := function(t, path, 2)
		return tabled{newStore(t, api, patient), db}
	})
}

// The process is killed in the middle of a call: the caller gets the right
// answer from the next one, and there is one row.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]users.Outcome{"die before": users.Created, "die after": users.Existing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, table, _ := openTable(t)
			api, runtime := function(t, path, 1)
			var told []string
			s := newStore(t, api, patient, func(c *remote.Config) { c.OnRetry = func(_ context.Context, code string) { told = append(told, code) } })
			who := hana
			who.Name = name
			got, err := s.Ensure(t.Context(), who)
			if err != nil || got.Outcome != want {
				t.Fatalf("Ensure = %+v, %v; want %s", got, err, want)
			}
			if len(told) != 1 || told[0] != "function error Runtime.ExitError" || runtime.Starts() != 2 {
				t.Errorf("told %q, %d starts", told, runtime.Starts())
			}
			wantRow(t, table, got.ID)
		})
	}
}

func wantRow(t *testing.T, table users.Store, id string) {
	t.Helper()
	rows, err := table.Page(t.Context(), "", 10)
	if err != nil || len(rows) != 1 || rows[0].ID != id || rows[0].Sub != hana.Sub {
		t.Errorf("rows %+v, %v; want one with id %s", rows, err, id)
	}
}

func TestDiesAlways(t *testing.T) {
	t.Parallel()
	path, _, _ := openTable(t)
	api, _ := function(t, path, 1)
	s := newStore(t, api, func(c *remote.Config) { c.Timeout = time.Second }) // 5 is the default
	who := hana
	who.Name = "die always"
	started := time.Now()
	if _, err := s.Ensure(t.Context(), who); !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("Ensure: %v", err)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

// The caller's time is over, the function goes on, and the retry runs beside
// it: one row, one id.
func TestTimeoutWhileTheFarSideGoesOn(t *testing.T) {
	t.Parallel()
	path, table, _ := openTable(t)
	api, _ := function(t, path, 2)
	s := newStore(t, api, patient)
	if err := s.Ping(t.Context()); err != nil { // a start is not what is timed here
		t.Fatal(err)
	}
	who := hana
	who.Name = "hang"
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Ensure(ctx, who); !errors.Is(err, users.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Ensure: %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for _, name := range []string{"hang", ""} {
		wg.Go(func() {
			again := hana
			again.Name = name
			got, err := s.Ensure(t.Context(), again)
			if err != nil {
				t.Errorf("Ensure: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[got.ID] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Fatalf("ids %v", ids)
	}
	for id := range ids {
		wantRow(t, table, id)
	}
}

// Lambda's own refusals, as they really come.
func TestRefusalsOfTheInvokeAPI(t *testing.T) {
	t.Parallel()
	path, _, _ := openTable(t)
	api, runtime := function(t, path, 1)
	s := newStore(t, api, func(c *remote.Config) { c.Function = "another" })
	if _, err := s.Ensure(t.Context(), hana); !errors.Is(err, users.ErrUnavailable) || err.Error() != "remote: ensure: users: store unavailable: ResourceNotFoundException" {
		t.Errorf("no such function: %v", err)
	}
	_ = runtime.Close()
	s = newStore(t, api, func(c *remote.Config) { c.Timeout = 300 * time.Millisecond })
	if _, err := s.Ensure(t.Context(), hana); !errors.Is(err, users.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}
