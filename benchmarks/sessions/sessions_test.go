package sessions_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"text/tabwriter"

	goredis "github.com/redis/go-redis/v9"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/middleware/redisstore"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	oursMemory  = "cognito-sso, memory"
	oursCookie  = "cognito-sso, cookies"
	oursRedis   = "cognito-sso, Redis"
	scsMemory   = "scs, memory"
	scsIdle     = "scs, memory, idle timeout"
	scsInRedis  = "scs, Redis"
	scsIdleR    = "scs, Redis, idle timeout"
	gorillaName = "gorilla/sessions, cookie"
)

// field opens the contestants. Redis takes part where it is installed.
func field(t testing.TB) (bare contestant, all []contestant) {
	pool := newPool(t)
	var in content
	keep := func(set sso.TokenSet) {
		in = content{set.ID.Subject, set.RawAccess.Reveal(), set.RawID.Reveal(), set.Refresh.Reveal()}
	}
	memory := ours(t, pool, oursMemory, keep, func(*middleware.LoginConfig) {})
	all = []contestant{
		memory,
		scsContestant(t, scsMemory, nil, false, in),
		scsContestant(t, scsIdle, nil, true, in),
		ours(t, pool, oursCookie, keep, func(c *middleware.LoginConfig) { c.CookieSessions = &middleware.CookieSessions{} }),
		gorilla(t, gorillaName, in),
	}
	if addr := redis(t); addr != "" {
		client := goredis.NewClient(&goredis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		store, err := redisstore.New(redisstore.Config{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all,
			ours(t, pool, oursRedis, keep, func(c *middleware.LoginConfig) { c.Sessions = store }),
			scsContestant(t, scsInRedis, scsRedis(client), false, in),
			scsContestant(t, scsIdleR, scsRedis(client), true, in))
	}
	return contestant{name: "bare handler", handler: page(func(*http.Request) string { return "x" })}, all
}

// redis is the address of a server, or "" where none is installed.
func redis(t testing.TB) string {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv(realtest.Require) == "" {
		return ""
	}
	return realtest.Redis(t)
}

// Every contestant knows who is there, and nobody without the cookies.
func TestContestants(t *testing.T) {
	_, all := field(t)
	for _, c := range all {
		r := c.request(t)
		w := &status{blank: blank{header: http.Header{}}, code: http.StatusOK}
		c.handler.ServeHTTP(w, r)
		if w.code != http.StatusOK {
			t.Errorf("%s: %d with the cookies of somebody who is signed in", c.name, w.code)
		}
		r = c.request(t)
		r.Header.Set("Cookie", strings.Replace(c.cookies, "=", "=x", 1))
		w.code = http.StatusOK
		c.handler.ServeHTTP(w, r)
		if w.code == http.StatusOK {
			t.Errorf("%s: 200 with another cookie", c.name)
		}
	}
}

// status is a blank that keeps the status.
type status struct {
	blank
	code int
}

func (w *status) WriteHeader(code int) { w.code = code }

// BenchmarkSessions prints the table.
func BenchmarkSessions(b *testing.B) {
	bare, all := field(b)
	results := race(b, bare, all)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "µs\tallocations\tbytes\t  beyond the bare handler, per request")
	for _, c := range all {
		r := results[c.name]
		fmt.Fprintf(w, "%.2f\t%d\t%d\t  %s (%d bytes of cookies)\n", r.median()/1000, r.count, r.alloced, c.name, len(c.cookies))
	}
	_ = w.Flush()
	redisOver := "n/a"
	if _, ok := results[oursRedis]; ok {
		redisOver = fmt.Sprintf("%.2f", results[oursRedis].over(results[scsInRedis]))
	}
	fmt.Printf("SESSIONS memory_over_scs=%.2f memory_over_scs_idle=%.2f cookie_over_gorilla=%.2f redis_over_scs=%s memory_allocs=%d cookie_allocs=%d\n",
		results[oursMemory].over(results[scsMemory]), results[oursMemory].over(results[scsIdle]),
		results[oursCookie].over(results[gorillaName]), redisOver, results[oursMemory].count, results[oursCookie].count)
}
