// Package ssotest is a fake Amazon Cognito user pool on loopback: for unit
// tests, where tokens are minted in one line, and as a server for local work.
//
//	pool := ssotest.NewPool(t, ssotest.Config{})
//	verifier, err := sso.NewVerifier(pool.VerifierConfig())
//	raw := pool.AccessToken(ssotest.Claims{UserID: "42", Groups: []string{"staff"}})
//
// A pool has managed login with stand-ins for Kakao and Google, the OAuth 2.0
// endpoints, the key document, Lambda triggers, and the part of the
// cognito-idp API that AWS's SDKs reach with Pool.URL as their base endpoint.
// Every way for Cognito to fail that this module cares for is a switch of
// [Faults], and the clock moves with [Pool.Advance].
//
// # Security model
//
// A pool hands a token to anybody who asks. So it listens on loopback only, and
// its issuer is its own URL, which no verifier of a real pool accepts. It is
// strict where Cognito is: secrets, secret hashes, schema, read and write
// permissions, scopes and revocation are checked. Of a signed request it checks
// that there is a signature, not whether it is right, as it knows no secret key.
// Passwords are kept as plain hashes.
//
// # What is not known of Cognito
//
// AWS documents none of these, so no test should rest on them alone:
//
//   - Attributes that PostConfirmation writes are in the first token, unless
//     [Faults.StaleFirstToken] is set. (That those of PostAuthentication are in
//     the tokens of the next sign-in only is documented.)
//   - Of two first sign-ins of a person at the same time, the one that ends
//     second goes on as a later sign-in. One during which the identity is linked
//     to another user fails, and the next one succeeds: that was seen.
//   - A mapped attribute that the client's users may not write is left out, as
//     the developer guide says; the API reference says that sign-in fails.
//   - acr is "fed" after a sign-in through a provider.
//   - The texts of most errors. Compare their types.
//
// # What it does not do
//
// There are no aliases, no MFA, devices, SRP or custom challenges, no messages
// (see [Pool.ConfirmationCode]), no inbound federation trigger, and usernames
// are case-sensitive. A linked identity is known by Cognito_Subject only. An
// operation of the API that is missing answers UnknownOperationException.
package ssotest
