// Package lambda ties every user of an Amazon Cognito user pool to exactly one
// row of the organisation's user table, and puts that row's id into the token
// as custom:userId.
//
//	store, err := sqlite.Open(ctx, "users.db", sqlite.Config{})
//	…
//	t, err := lambda.NewTriggers(lambda.Config{
//		Users:      store,
//		Attributes: lambda.NewCognitoAttributes(cognitoidentityprovider.NewFromConfig(aws)),
//		SignIns:    lambda.NewSQSSignIns(sqs.NewFromConfig(aws), queueURL),
//		Providers:  []string{"Kakao", "Google"},
//	})
//	…
//	awslambda.Start(t.Handle)
//
// One function serves every trigger: [Triggers.Handle] goes by triggerSource.
// The command lambda/cmd/sso-trigger is that function, ready to deploy.
//
// # What each trigger does
//
//	PreSignUp           lets the configured providers in; no native sign-ups,
//	                    unless Config.AllowNativeSignUp; users whom an
//	                    administrator creates pass
//	PostConfirmation    ensures the row, notes the first sign-in, writes
//	                    custom:userId; a password reset passes
//	PreAuthentication   passes
//	PostAuthentication  leaves a message in the queue, and that is all
//	PreTokenGeneration  adds the claim custom:userId: V1 to the ID token, V2
//	                    and V3 to the access token too; from the attribute, or
//	                    else from the row, which it makes if it was lost.
//	                    Machines (client credentials) pass
//
// Every other trigger is refused, inbound federation among them. Attach only
// these.
//
// On a first federated sign-in Cognito calls PreSignUp, PostConfirmation and
// PreTokenGeneration; on later ones PreAuthentication, PostAuthentication and
// PreTokenGeneration. So PostConfirmation notes the first sign-in, and
// PostAuthentication the others. A refresh is not a sign-in.
//
// # Nobody is lost
//
// The row is the truth and the attribute a copy of it. Ensuring the row is
// idempotent and is done by whichever trigger comes first: if PostConfirmation
// failed, or its attribute never got written, the next token makes good for
// it ([Result].Healed). Cognito may run a trigger several times at once; the
// store's unique keys see to it that there is one row.
//
// # Failing closed and open
//
// No id, no token: PreTokenGeneration fails if neither attribute nor row can
// be had, unless Config.AllowMissingUserID. PostConfirmation fails if there is
// no row, so that the student tries again, but not for want of the attribute
// or of the queue. PostAuthentication never fails. What failed open is in
// [Result], in the log, and for you to count.
//
// # Security model
//
// A user is the sub. A provider's id links an old row only if Cognito vouches
// for it: status EXTERNAL_PROVIDER, an entry of identities, a provider in
// Config.Providers. Never the email, never the username's text. When that is
// unclear, no row is made or linked.
//
// The attribute is believed, so no app client may be able to write it: leave
// it out of every client's WriteAttributes, and in ReadAttributes.
//
// A trigger's error is shown to the user, so every error is a [PublicError]
// with a fixed text. Logs and errors hold no sub, email, username or id, and
// never the event.
//
// # Errors
//
// [Triggers.Handle] returns a [PublicError] that wraps one of this package's
// sentinels or one of package users. Constructors return [ErrConfig].
//
// # Compatibility
//
// Cognito adds fields to its events; they come back untouched. Field names,
// environment variables and the message [SignIn] (by its version) are stable.
package lambda
