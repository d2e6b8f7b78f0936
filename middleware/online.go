package middleware

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

const (
	defaultOnlineCache   = 5 * time.Second
	mostOnlineCache      = time.Minute
	defaultOnlineTimeout = 3 * time.Second
	mostOnlineTimeout    = 10 * time.Second
	defaultOnlineTokens  = 10_000
	// nearExpiry is when "no longer honoured" may mean no more than that
	// Cognito's clock is ahead of ours.
	nearExpiry = 30 * time.Second
)

// AccessChecker asks Cognito whether it still honours an access token. See
// [UserInfoChecker].
type AccessChecker interface {
	// CheckAccess returns nil if the token stands and [ErrSignInEnded] if it
	// was revoked, its user signed out everywhere, was disabled or deleted. Any
	// other error says that nobody can tell. It is called concurrently.
	CheckAccess(ctx context.Context, access sso.Secret) error
}

// AccessCheckerFunc makes a function an [AccessChecker], such as one that calls
// GetUser of Cognito's API:
//
//	func(ctx context.Context, access sso.Secret) error {
//		_, err := api.GetUser(ctx, &cognitoidentityprovider.GetUserInput{AccessToken: aws.String(access.Reveal())})
//		var refused *types.NotAuthorizedException
//		var deleted *types.UserNotFoundException
//		if errors.As(err, &refused) || errors.As(err, &deleted) {
//			return middleware.ErrSignInEnded
//		}
//		return err
//	}
//
// GetUser refuses in the same way a token without the scope
// aws.cognito.signin.user.admin, so ask for that at sign-in.
type AccessCheckerFunc func(ctx context.Context, access sso.Secret) error

// CheckAccess calls f.
func (f AccessCheckerFunc) CheckAccess(ctx context.Context, access sso.Secret) error {
	return f(ctx, access)
}

// UserInfoChecker asks Cognito's userInfo endpoint. The token needs the scope
// openid, which those of a sign-in of [Login] have; one without it is answered
// with 403, those of machines and of Cognito's own API among them. c's Verifier
// must accept the token.
func UserInfoChecker(c *sso.Client) AccessChecker { return userInfoChecker{c} }

type userInfoChecker struct{ client *sso.Client }

// CheckAccess implements [AccessChecker].
func (u userInfoChecker) CheckAccess(ctx context.Context, access sso.Secret) error {
	token, err := u.client.Verifier().VerifyAccess(ctx, access.Reveal())
	if err != nil {
		return err
	}
	if !token.HasScope("openid") {
		// Cognito would say invalid_token, as of one that was revoked.
		return &ScopeError{Scopes: []string{"openid"}}
	}
	_, err = u.client.UserInfo(ctx, access)
	var refused *sso.AuthError
	if errors.As(err, &refused) && refused.Code == "invalid_token" {
		return ErrSignInEnded
	}
	return err
}

// OnlineConfig varies an [Online]. The zero value is ready to use. It is copied.
type OnlineConfig struct {
	// CacheFor is how long an answer that a sign-in stands serves the requests
	// that follow, and so how late a sign-out may be noticed. Defaults to 5
	// seconds; at most 1 minute. That it has ended is remembered until the
	// token expires.
	CacheFor time.Duration
	// MaxTokens bounds of how many tokens answers are remembered, some 100
	// bytes each. Defaults to 10,000.
	MaxTokens int
	// Timeout bounds one question. Defaults to 3 seconds; at most 10 seconds.
	Timeout time.Duration
	// AllowUnreachable lets requests through while Cognito cannot be asked, as
	// if there were no online check; a sign-in that was seen to have ended
	// stays so. It MUST NOT be set where a revoked token may not pass. Defaults
	// to false: they are answered with 503.
	AllowUnreachable bool
	// Logger gets sign-ins that have ended and checks that could not be made,
	// without personal data. Defaults to slog.Default().
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Online asks Cognito whether a sign-in still stands. Verifying a token cannot
// know that: a token that was revoked, or whose user signed out everywhere, was
// disabled or deleted, verifies until it expires, up to a day later. With it on
// sensitive routes, that takes seconds. It is safe for concurrent use.
//
// It costs a call to Cognito for each session and CacheFor, of a quota that is
// shared: keep it to the routes that need it. What it cannot know either is
// what Cognito does not: that a person's account at the identity provider was
// closed, or a role taken away in the app's own tables.
type Online struct {
	checker AccessChecker
	cfg     OnlineConfig
	known   verdicts
	flight  singleflight.Group // by hash of the token
}

// NewOnline checks cfg and returns an Online that asks checker. Its error joins
// one [*sso.ConfigError] for each field that is wrong.
func NewOnline(checker AccessChecker, cfg OnlineConfig) (*Online, error) {
	cfg.setDefaults()
	if err := cfg.check(checker); err != nil {
		return nil, err
	}
	return &Online{checker: checker, cfg: cfg, known: verdicts{most: cfg.MaxTokens}}, nil
}

func (cfg *OnlineConfig) setDefaults() {
	if cfg.CacheFor == 0 {
		cfg.CacheFor = defaultOnlineCache
	}
	if cfg.MaxTokens == 0 {
		cfg.MaxTokens = defaultOnlineTokens
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultOnlineTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

func (cfg *OnlineConfig) check(checker AccessChecker) error {
	var problems []error
	wrong := func(field, problem string) {
		problems = append(problems, &sso.ConfigError{Field: field, Problem: problem})
	}
	if u, ok := checker.(userInfoChecker); checker == nil || ok && u.client == nil {
		wrong("AccessChecker", "is required")
	}
	if cfg.CacheFor < 0 || cfg.CacheFor > mostOnlineCache {
		wrong("OnlineConfig.CacheFor", "must be at most 1 minute")
	}
	if cfg.MaxTokens < 0 {
		wrong("OnlineConfig.MaxTokens", "must not be negative")
	}
	if cfg.Timeout < 0 || cfg.Timeout > mostOnlineTimeout {
		wrong("OnlineConfig.Timeout", "must be at most 10 seconds")
	}
	return errors.Join(problems...)
}

// Require lets through only requests whose sign-in Cognito still honours. It
// goes inside [Login.Require] or [Bearer.Require], whose way of refusing it
// uses, and looks at the session's access token or the one that Bearer
// accepted.
//
// A sign-in that has ended is [ErrSignInEnded]: 401, and a browser of Login is
// sent to sign in with prompt=login, since Cognito's own sign-in may live on;
// its session is ended here too. Where Cognito cannot be asked the answer is
// 503, unless OnlineConfig.AllowUnreachable is set; that ends no session. Nobody
// signed in is 401 as ever.
func (o *Online) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := authOf(r.Context())
		subject, err := accessOf(a)
		if err == nil {
			err = o.check(r.Context(), subject)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
			return
		case a == nil:
			bearerFail(w, r, defaultRealm, err) // fail closed: nobody looked for a token
			return
		case errors.Is(err, ErrSignInEnded) && subject.session != nil:
			subject.login.endSession(w, r, subject.session)
		}
		a.fail(w, r, err)
	})
}

// Check is for BearerConfig.Check: it refuses requests as Require does.
func (o *Online) Check(r *http.Request, _ sso.Token) error {
	subject, err := accessOf(authOf(r.Context()))
	if err != nil {
		return err
	}
	return o.check(r.Context(), subject)
}

// accessToken is one that may be asked about.
type accessToken struct {
	raw     string
	expires time.Time
	// login and session are set if it is of a session.
	login   *Login
	session *session
}

// accessOf finds the access token of a request.
func accessOf(a *auth) (accessToken, error) {
	signedIn := false
	for ; a != nil; a = a.outer {
		signedIn = signedIn || a.hasToken()
		if a.session != nil && a.session.data.RawAccess != "" {
			data := &a.session.data
			if a.login.now().Unix() >= data.AccessExpires {
				// The session lives, so refreshing failed for want of Cognito.
				return accessToken{}, sso.ErrUnavailable
			}
			return accessToken{data.RawAccess, time.Unix(data.AccessExpires, 0), a.login, a.session}, nil
		}
		if a.raw != "" && a.token.Use == sso.UseAccess {
			return accessToken{raw: a.raw, expires: a.token.ExpiresAt}, nil
		}
	}
	if !signedIn {
		return accessToken{}, sso.ErrMissing
	}
	return accessToken{}, errNoAccessToken
}

// errNoAccessToken: the app's own mistake, and so 500.
var errNoAccessToken = &sso.ConfigError{Field: "Online", Problem: "needs an access token; only an ID token was accepted"}

// check says whether a sign-in stands, and applies AllowUnreachable.
func (o *Online) check(ctx context.Context, access accessToken) error {
	err := o.ask(ctx, access)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, ErrSignInEnded):
		if access.expires.Sub(o.cfg.Now()) < nearExpiry && access.session != nil {
			// It would have expired in a moment: no reason to end a session
			// whose refresh may yet succeed.
			return sso.ErrUnavailable
		}
		return err
	case errors.Is(err, sso.ErrScope):
		return err
	}
	if o.cfg.AllowUnreachable {
		o.cfg.Logger.WarnContext(ctx, "sso: a request was let through without its online check", "error", err)
		return nil
	}
	o.cfg.Logger.WarnContext(ctx, "sso: an online check could not be made", "error", err)
	return err
}

// ask returns what is known of a token, or asks. Requests with one token share
// one question, and each waits no longer than its own context lasts.
func (o *Online) ask(ctx context.Context, access accessToken) error {
	// The hash alone is kept: nothing here holds a token between requests.
	id := sha256.Sum256([]byte(access.raw))
	if v, ok := o.known.get(id, o.cfg.Now()); ok {
		return v.err()
	}
	detached := context.WithoutCancel(ctx)
	done := o.flight.DoChan(string(id[:]), func() (any, error) {
		// Whoever looked just before another's question ended comes here
		// after it.
		if v, ok := o.known.get(id, o.cfg.Now()); ok {
			return nil, v.err()
		}
		ctx, cancel := context.WithTimeout(detached, o.cfg.Timeout)
		defer cancel()
		asked := o.cfg.Now()
		err := o.checker.CheckAccess(ctx, sso.Secret(access.raw))
		switch {
		case err == nil:
			// From when it was asked: that is what is known.
			o.known.put(id, verdict{until: asked.Add(o.cfg.CacheFor)}, asked)
		case errors.Is(err, ErrSignInEnded):
			o.known.put(id, verdict{ended: true, until: access.expires}, asked)
			return nil, ErrSignInEnded
		case !errors.Is(err, sso.ErrScope):
			return nil, undecided(err)
		}
		return nil, err
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-done:
		return answer.Err
	}
}

// undecided is an error that does not say that a sign-in has ended. What err
// was is in its text alone, as a reason: were it a fault of the token, a
// browser would be sent to sign in again and again, and the text of a foreign
// error may name the user.
func undecided(err error) error {
	return fmt.Errorf("%w: online check: %s", sso.ErrUnavailable, sso.ReasonOf(err))
}

// endSession ends a session that Cognito has ended, as far as this browser and
// this app go.
func (l *Login) endSession(w http.ResponseWriter, r *http.Request, sess *session) {
	l.log.InfoContext(r.Context(), "sso: session ended: Cognito no longer honours its sign-in")
	if l.cookieSessions != nil {
		l.cookies.addEnded(w, r, sess, l.sessions.absolute)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), revokeTimeout)
	defer cancel()
	l.sessions.remove(ctx, sess.key)
}
