// Package middleware protects net/http handlers with Cognito tokens: [Bearer]
// for APIs, [Login] for web apps.
//
//	b, err := middleware.NewBearer(verifier, middleware.BearerConfig{})
//	mux.Handle("/me", b.Require(h))
//
//	l, err := middleware.NewLogin(client, middleware.LoginConfig{
//		BaseURL:    "https://board.example.ac.kr",
//		CookieKeys: [][]byte{key}, // 32 random bytes
//	})
//	mux.Handle("/auth/", l)
//	mux.Handle("/", l.Require(h))
//
// In a handler, [UserID] and [Token] say who it is. [RequireScope] and
// [RequireGroup] (all of them), [RequireAnyScope] and [RequireAnyGroup] (any),
// [RequireUserID] and [RequireFresh] go inside either; BearerConfig.Check is for
// what only the app knows.
//
// # Where a token is read
//
// In the Authorization header. A cookie or a load balancer's header is read only
// by a Bearer whose BearerConfig.Extract says so ([FromCookie], [FromHeader]),
// which then reads nothing else. There is no way to read a query string. An API
// that needs an ID token beside the access token stacks two:
//
//	access, err := middleware.NewBearer(verifier, middleware.BearerConfig{})
//	id, err := middleware.NewBearer(verifier, middleware.BearerConfig{
//		Use:     sso.UseID,
//		Extract: middleware.FromHeader("X-Id-Token"),
//	})
//	mux.Handle("/me", access.Require(id.Require(h)))
//
// Both tokens are then at hand ([TokenOf]), and are of one person.
//
// # Security model
//
// A sign-in is bound to the browser that began it: state, nonce and PKCE
// verifier are in an encrypted cookie of their own for each tab, and nothing is
// sent to Cognito before a callback has been matched with it. A session is a
// random id in the browser; the store sees its hash, and everything else
// encrypted under LoginConfig.CookieKeys. The cookies have the __Host- prefix
// and are Secure, HttpOnly and SameSite=Lax. Request headers decide neither
// scheme nor host nor where a browser is sent: that is LoginConfig.BaseURL, and
// paths checked by a strict rule, of this app or LoginConfig.ReturnOrigins. Signing out takes a POST from the same origin.
//
// With LoginConfig.CookieSessions the whole session is in the browser, encrypted
// under the same keys for this app alone, in as many cookies as it takes; what
// that costs is said at [CookieSessions].
//
// SameSite=Lax and Login's own check protect Login's routes. The app's forms
// are the app's: wrap them in [Login.RequireSameOrigin], and change nothing
// on GET.
//
// A session in the store ends at once when it is signed out, and a request in
// flight does not bring it back. One in cookies ends in its browser, and a copy
// of the cookies goes on; nor do tokens end that are verified offline: an access
// token that was handed to an API stays good until it expires, also after the
// user signed out everywhere. [Online] asks Cognito, on the routes that must
// know; [RequireFresh] is for what should take a recent sign-in.
//
// # Errors
//
// A fault of the token or no session is 401 (for a browser, a redirect to sign
// in), and so is a sign-in too long ago; a missing right is 403, tokens that
// cannot be read as one or do not belong together are 400, and keys, session
// store or Cognito out of reach 503 with Retry-After. An outage signs nobody out: while the session's token lives, requests go on.
// Answers hold fixed texts alone; what the error was is for ErrorHandler and the
// log. A request whose client has left is not answered.
//
// # Compatibility
//
// Cookies, the keys of stored sessions and what is sealed carry a version. A
// later version of this package may end sessions when it changes them, and says
// so in the change log.
package middleware
