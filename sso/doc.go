// Package sso verifies the tokens of an Amazon Cognito user pool, and runs the
// OAuth 2.0 and OpenID Connect flows of an app that signs people in through
// one. It depends on no AWS SDK.
//
// An API that is called with access tokens needs a [Verifier]:
//
//	v, err := sso.NewVerifier(sso.Config{
//		UserPoolID: "ap-northeast-2_AbCdEfGhI",
//		ClientIDs:  []string{"1example23456789"},
//	})
//	if err != nil {
//		log.Fatal(err) // names every wrong field
//	}
//	…
//	tok, err := v.VerifyAccess(ctx, raw)
//	if err != nil {
//		… // see Errors below
//	}
//	id, err := tok.UserID.Int64() // the user's row in your own table
//
// In an HTTP server, package middleware does that, and the web login on top of
// a [Client]. Package ssotest has a fake user pool to test against.
//
// # Security model
//
// A token is accepted only if it says one thing to every reader and all of it
// checks: one spelling (canonical base64url), one reading (strict JSON: exact
// member names, none twice), RS256 and no other algorithm, a key of the very
// issuer that it names, this pool, the kind of token asked for, an allowed app
// client, and a lifetime that includes now. [Verifier] lists the checks in
// their order. The zero value of every setting is the strictest one; what
// loosens a check has Insecure in its name.
//
// Keys come from the configured issuer alone, never from anything a token
// says, over https, without redirects. Fetching is shared and paced: made-up
// key ids cost the key server one request in ten seconds, however many there
// are, and foreign, expired or mistyped tokens cost none. An outage of the
// key server, or a nonsensical answer of it, leaves known keys at work.
//
// What this package does not see: whether a token was revoked or its user
// signed out or disabled since it was issued (a token is good until it
// expires); whether it was stolen; who may write custom:userId, which must be
// nobody's WriteAttribute, or users can choose their own id.
//
// Identify users by [Token] Subject or UserID, and never by Email or Username,
// which may change hands.
//
// # Errors
//
// Every decision has a sentinel for [errors.Is]. They fall in three kinds. The
// token is bad: answer 401. The token is good but does not carry what is
// needed ([ErrScope], [ErrGroup], [ErrNoUserID]): answer 403. Nothing can be
// said now ([ErrKeysUnavailable], [ErrUnavailable]): answer 503, and do not
// sign anybody out. [ReasonOf] names the reason of any of them for a metric.
// No error holds a token, a secret or the text of a claim.
//
// # Compatibility
//
// Which tokens are refused may grow with what is learned about attacks; no
// token that Cognito issues is meant to be among them. Exported names follow
// the Go 1 rules from version 1 on.
package sso
