package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/lambdaruntime"
)

// overCalls is PostConfirmation beside the two calls that it cannot do without.
type overCalls struct {
	handler, split, bare times
	ratio, splitRatio    float64 // medians over pairs of slices
}

// measureOverCalls runs slices of PostConfirmation in turns: through the real
// binary, through both of them, and through one that does the two calls and
// nothing else.
//
// With away, each call of AWS takes so much longer: on loopback no call waits for
// anything but a processor, and there is nothing that could be done meanwhile.
func measureOverCalls(t testing.TB, d database, pairs, slice int, away time.Duration) overCalls {
	t.Helper()
	who := &subjects{}
	who.last.Store(1_000_000)
	probe := newStack(t, stackConfig{name: "probe", database: d, proxied: true}, who)
	single := newStack(t, stackConfig{name: "single", database: d, counted: away > 0, away: away}, who)
	split := newStack(t, stackConfig{name: "split", database: d, split: true, counted: away > 0, away: away}, who)
	bare := newPool(t)
	cognitoURL := bare.URL()
	if away > 0 {
		cognitoURL = newAWSProxy(t, cognitoURL, away).URL
	}
	bareFn := start(t, calls, 1, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="+cognitoURL,
		"BARE_DATABASE="+fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", d.user, d.addr, d.name), "BARE_STATEMENT="+probe.statement(t))
	run := func(p *pool, f *lambdaruntime.Runtime, n int) (took times) {
		for range n {
			event, u := p.confirmation(t, who.next())
			took = append(took, invoke(t, f, event))
			if got, _ := p.User(u.Username); got.Attributes["custom:userId"] == "" {
				t.Fatalf("%s has no attribute", u.Username)
			}
		}
		return took
	}
	for range 3 { // connections, and what Go has to warm up
		run(single.pool, single.fn, slice)
		run(split.pool, split.fn, slice)
		run(bare, bareFn, slice)
	}
	var o overCalls
	var ratios, splits []float64
	for range pairs {
		h, b := run(single.pool, single.fn, slice), run(bare, bareFn, slice)
		s := run(split.pool, split.fn, slice)
		o.handler, o.bare, o.split = append(o.handler, h...), append(o.bare, b...), append(o.split, s...)
		ratios = append(ratios, float64(h.p50())/float64(b.p50()))
		splits = append(splits, float64(s.p50())/float64(b.p50()))
	}
	o.ratio, o.splitRatio = median(ratios), median(splits)
	return o
}

// statement is the one of a sign-up as it was on the wire, with the user's own
// values replaced by names. It is what the bare function runs.
func (s *stack) statement(t testing.TB) string {
	t.Helper()
	event, u := s.pool.confirmation(t, s.who.next())
	invoke(t, s.fn, event)
	sql, types, raw := s.door.statement()
	names := strings.NewReplacer(u.Sub, "{sub}", u.Attributes["email"], "{email}", strings.TrimPrefix(u.Username, "Kakao_"), "{subject}",
		u.Attributes["name"], "{name}")
	values := make([]string, len(raw))
	for i, v := range raw {
		values[i] = names.Replace(string(v))
	}
	text, err := json.Marshal(map[string]any{"SQL": sql, "Types": types, "Values": values})
	if err != nil || !strings.Contains(strings.Join(values, " "), "{sub}") {
		t.Fatalf("the statement was not seen: %v", err)
	}
	return string(text)
}

// whole is what people wait for, of one stack.
type whole struct {
	name                   string
	up, in                 times
	upTriggers, inTriggers times
}

// measureWhole has people sign up and in at every stack, in turns.
func measureWhole(t testing.TB, stacks []*stack, rounds, slice int) []whole {
	t.Helper()
	out := make([]whole, len(stacks))
	for i, s := range stacks {
		out[i].name = s.name
		for range 3 {
			subject, _ := s.signUp(t)
			s.signIn(t, subject)
		}
	}
	for range rounds {
		for i, s := range stacks {
			for range slice {
				subject, up := s.signUp(t)
				in := s.signIn(t, subject)
				out[i].up, out[i].upTriggers = append(out[i].up, up.waited), append(out[i].upTriggers, up.triggers)
				out[i].in, out[i].inTriggers = append(out[i].in, in.waited), append(out[i].inTriggers, in.triggers)
			}
		}
	}
	return out
}

// topologies are both of them on both databases.
func topologies(t testing.TB) []*stack {
	t.Helper()
	who := &subjects{}
	who.last.Store(2_000_000)
	var stacks []*stack
	for _, kind := range kinds {
		d := kind.open(t)
		stacks = append(stacks,
			newStack(t, stackConfig{name: "single, " + kind.name, database: d}, who),
			newStack(t, stackConfig{name: "split, " + kind.name, database: d, split: true}, who))
	}
	return stacks
}
