package lambda

import "context"

// postAuthentication notes a sign-in and lets it go on, come what may. Cognito
// calls it from the second sign-in on, and not for refreshes.
func (t *Triggers) postAuthentication(ctx context.Context, e *event, res *Result) error {
	t.signIn(ctx, e, t.cfg.Now().UTC(), res)
	return nil
}
