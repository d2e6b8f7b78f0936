package lambda

import (
	"context"
	"sync"
)

// postConfirmation ties a new user to a row. It runs once in a user's life, so
// its failure must be seen: the student tries again, and the token trigger
// then does what was not done here.
//
// It is the user's first sign-in too, of which PostAuthentication is not told.
// The store writes its time with the row. Only where it did not, as for a row
// that somebody else was faster to make, the sign-in takes the way of all later
// ones.
func (t *Triggers) postConfirmation(ctx context.Context, e *event, res *Result) error {
	at := t.cfg.Now().UTC()
	id, err := t.ensure(ctx, e, at, res)
	if err != nil {
		return err
	}
	if res.SignInRecorded {
		t.setUserID(ctx, e, id, res)
		return nil
	}
	// At the same time: neither waits for the other's answer. Each writes its
	// own field of its own Result.
	var sent Result
	sent.Source = res.Source
	var wg sync.WaitGroup
	wg.Go(func() { t.signIn(ctx, e, at, &sent) })
	t.setUserID(ctx, e, id, res)
	wg.Wait()
	res.SignInLost = sent.SignInLost
	return nil
}
