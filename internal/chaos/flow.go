package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// flow is one try of one tab to get tokens.
type flow struct {
	w    *world
	p    *person
	name string
}

var errTaken = errors.New("chaos: already found an entry for the username")

// live is a person's whole life.
func (w *world) live(p *person) {
	for n, v := range p.visits {
		_ = nap(context.Background(), v.after)
		if v.recreated {
			w.recreate(p)
		}
		for tab := 1; tab < v.tabs; tab++ {
			w.happens(SecondTab)
			w.background.Go(func() { w.visit(p, v, fmt.Sprintf("p%d v%d tab%d", p.n, n, tab)) })
		}
		w.visit(p, v, fmt.Sprintf("p%d v%d", p.n, n))
	}
}

// recreate deletes the user; the visit then signs up anew.
func (w *world) recreate(p *person) {
	_ = nap(context.Background(), p.settle)
	if w.pool.remove(p.username) {
		w.happens(Recreated)
		p.note(w, "deleted in the pool")
	}
}

// visit tries until there are tokens or the person gives up.
func (w *world) visit(p *person, v visit, name string) bool {
	const tries = 4
	for try := 1; try <= tries; try++ {
		f := &flow{w: w, p: p, name: fmt.Sprintf("%s.%d", name, try)}
		err := f.run(v)
		p.note(w, "%s: error: %v", f.name, err)
		if err == nil {
			return true
		}
		_ = nap(context.Background(), between(w.chance.of(f.name, "again"), 0, 20*time.Second))
	}
	return false
}

func (f *flow) run(v visit) error {
	a, known := f.w.pool.find(f.p.username)
	switch {
	case !known && f.p.kind.provider() != "":
		return f.signUpFederated()
	case !known:
		return f.signUpNative()
	case v.refresh:
		return f.tokens(a, f.w.pool.snapshot(a), "TokenGeneration_RefreshTokens")
	case v.forgot:
		if _, err := f.invoke("PostConfirmation_ConfirmForgotPassword",
			userEvent("PostConfirmation_ConfirmForgotPassword", a.username, f.w.pool.snapshot(a))); err != nil {
			return err
		}
	}
	return f.signIn(a)
}

// signUpFederated is a first sign-in: the user is stored behind the first trigger,
// and stays whatever the second says.
func (f *flow) signUpFederated() error {
	const source = "PreSignUp_ExternalProvider"
	if _, err := f.invoke(source, preSignUpEvent(source, f.p)); err != nil {
		return err
	}
	a, created := f.w.pool.create(f.p)
	if !created { // by another tab; nobody knows which of the two Cognito does
		if f.w.chance.of(f.name, "taken").IntN(2) == 0 {
			return errTaken
		}
		return f.signIn(a)
	}
	old := f.w.pool.snapshot(a)
	if err := f.confirm(a); err != nil {
		return err
	}
	// The first token may be made of the attributes from before PostConfirmation.
	attributes := f.w.pool.snapshot(a)
	if f.w.strikes(f.w.chance.of(f.name, "stale"), StaleAttributes) {
		attributes = old
	}
	return f.tokens(a, attributes, "TokenGeneration_HostedAuth")
}

// signUpNative is a sign-up with a password, or by invitation: an invited user
// gets no PostConfirmation ever.
func (f *flow) signUpNative() error {
	source := "PreSignUp_SignUp"
	if f.p.kind == invited {
		source = "PreSignUp_AdminCreateUser"
	}
	if _, err := f.invoke(source, preSignUpEvent(source, f.p)); err != nil {
		return err
	}
	a, created := f.w.pool.create(f.p)
	switch {
	case !created:
		return errTaken
	case f.p.kind == invited:
		f.w.signUps.Add(1)
		return f.tokens(a, f.w.pool.snapshot(a), "TokenGeneration_NewPasswordChallenge")
	}
	if err := f.confirm(a); err != nil {
		return err
	}
	return f.signIn(a)
}

// confirm is what follows a new user. It happens once in the user's life.
func (f *flow) confirm(a *account) error {
	const post = "PostConfirmation_ConfirmSignUp"
	f.w.signUps.Add(1)
	f.p.note(f.w, "%s: user %s made", f.name, a.sub)
	began := time.Now()
	_, err := f.invoke(post, userEvent(post, a.username, f.w.pool.snapshot(a)))
	if err == nil {
		f.w.truth.confirmed(a.sub, began)
	}
	return err
}

// signIn is every sign-in but the first.
func (f *flow) signIn(a *account) error {
	attributes := f.w.pool.snapshot(a)
	for _, source := range []string{"PreAuthentication_Authentication", "PostAuthentication_Authentication"} {
		if _, err := f.invoke(source, userEvent(source, a.username, attributes)); err != nil {
			return err
		}
	}
	if !f.w.strikes(f.w.chance.of(f.name, "stale"), StaleAttributes) {
		attributes = f.w.pool.snapshot(a)
	}
	source := "TokenGeneration_HostedAuth"
	if f.p.kind.provider() == "" {
		source = "TokenGeneration_Authentication"
	}
	if err := f.tokens(a, attributes, source); err != nil {
		return err
	}
	f.w.signIns.Add(1)
	return nil
}

// tokens hands tokens out.
func (f *flow) tokens(a *account, attributes map[string]string, source string) error {
	out, err := f.invoke(source, tokenEvent(source, f.p.version, a.username, attributes))
	if err != nil {
		return err
	}
	id, access, err := claims(out, attributes)
	if err != nil {
		return err
	}
	f.p.note(f.w, "%s: token with userId %q", f.name, id)
	f.w.truth.token(token{person: f.p, sub: a.sub, id: id, access: access, both: f.p.version > 1, flow: f.name})
	return nil
}
