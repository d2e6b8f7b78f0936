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
func (t *Triggers) postConfirmation(ctx context.Context, e *event, res *Result) error {
	id, err := t.ensure(ctx, e, res)
	if err != nil {
		return err
	}
	// At the same time: neither waits for the other's answer. Each writes its
	// own field of its own Result.
	var sent Result
	sent.Source = res.Source
	var wg sync.WaitGroup
	wg.Go(func() { t.signIn(ctx, e, &sent) })
	t.setUserID(ctx, e, id, res)
	wg.Wait()
	res.SignInLost = sent.SignInLost
	return nil
}
