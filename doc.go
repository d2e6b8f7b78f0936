// Package cognitosso is the root of a module that lets every app of an
// organisation share one sign-in on Amazon Cognito. It has no code of its own;
// import the packages below it.
//
// An app imports
//
//   - [github.com/ssu-itsupport/cognito-sso/sso], which verifies Cognito's
//     tokens and runs the OAuth 2.0 and OpenID Connect flows of an app, and
//   - [github.com/ssu-itsupport/cognito-sso/middleware], which protects
//     net/http handlers with bearer tokens, and runs the login and the
//     sessions of a web app.
//
// Its tests import
//
//   - [github.com/ssu-itsupport/cognito-sso/sso/ssotest], a fake user pool on
//     loopback that mints tokens, shows a login page and fails on request.
//
// The platform team deploys
//
//   - [github.com/ssu-itsupport/cognito-sso/lambda], the pool's triggers,
//     which tie every Cognito user to exactly one row of the organisation's
//     user table and put the id of that row into the tokens, and
//   - [github.com/ssu-itsupport/cognito-sso/lambda/users], the contract and
//     the implementations of that table.
//
// The folder examples/quickstart is the whole story on one machine. docs/map.md
// says what is where.
//
// # Security model
//
// A person is identified by the sub claim of a token, and by the id of the row
// in the user table (the claim custom:userId), never by an email address or a
// user name. A token that is wrong in any way is refused; when keys or stores
// cannot be reached the answer is 503 and nobody is logged out. No error, log
// line or metric label of this module holds a token, a code, a cookie, a
// secret or a claim's text. The zero value of every setting is the strictest
// one; names that begin with Insecure or Allow loosen it.
//
// # Compatibility
//
// The module is not published and has no stable version yet: any name may
// change, and CHANGELOG.md says which did. It needs Go 1.26.
package cognitosso
