package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// timeUsers lets n people sign up and then, each from a new browser, sign in,
// one after the other: every second one with Kakao, the others with Google.
//
// A time is what the person waits for that this system answers for. It starts
// when they have said who they are on the identity provider's page, and ends
// when the app has redeemed the code, verified the tokens and answered with
// its session cookie. In between are the pool's triggers, the database, the
// AWS SDK's call (sign-up), the queue (sign-in), and three redirects.
func (c *checker) timeUsers(ctx context.Context, n int, signUps, signIns *timings) error {
	count, err := c.countRows(ctx)
	if err != nil {
		return err
	}
	people := make([]person, n)
	for i := range people {
		people[i] = newKakaoPerson(fmt.Sprintf("Student %d", i+1))
		if i%2 == 1 {
			people[i] = newGooglePerson(fmt.Sprintf("Student %d", i+1))
		}
	}
	for _, round := range []struct {
		name string
		into *timings
	}{{"sign-up", signUps}, {"sign-in", signIns}} {
		for i, who := range people {
			took, err := timeOne(ctx, c.w.board, who)
			if err != nil {
				return fmt.Errorf("%s %d of %d: %w", round.name, i+1, n, err)
			}
			round.into.add(took)
		}
	}
	return c.rowsAdded(ctx, count, n)
}

func timeOne(ctx context.Context, a *app, who person) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, timedTimeout)
	defer cancel()
	v := newVisitor()
	if err := chooseProvider(ctx, v, a, who.provider); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := answerAs(ctx, v, a, who); err != nil {
		return 0, err
	}
	callback, ok := v.hopTo(strings.TrimPrefix(a.url, "http://"), "/auth/callback")
	if !ok || callback.status != http.StatusSeeOther && callback.status != http.StatusFound {
		return 0, fmt.Errorf("there was no callback that led on")
	}
	return callback.ended.Sub(began), nil
}
