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
//	PreSignUp           lets the configured providers in, under
//	                    Config.AllowedEmailDomains if set; no native sign-ups,
//	                    unless Config.AllowNativeSignUp; users whom an
//	                    administrator creates pass
//	PostConfirmation    ensures the row and, with it, the time of the first
//	                    sign-in; writes custom:userId; a password reset passes
//	PreAuthentication   passes
//	PostAuthentication  leaves a message in the queue, and that is all
//	PreTokenGeneration  adds the claim custom:userId: V1 to the ID token, V2
//	                    and V3 to the access token too; from the attribute, or
//	                    else from the row, which it makes if it was lost; or
//	                    always from the row ([AlwaysStore]). Then it adds the
//	                    claims of Config.ExtraClaims. Machines (client
//	                    credentials) get only those
//
// Every other trigger is refused, inbound federation among them. Attach only
// these.
//
// On a first federated sign-in Cognito calls PreSignUp, PostConfirmation and
// PreTokenGeneration; on later ones PreAuthentication, PostAuthentication and
// PreTokenGeneration. So PostConfirmation notes the first sign-in, and
// PostAuthentication the others. The first is written with the row; only where
// the store did not do that, as when the row is there already, it goes to the
// queue like the others. A refresh is not a sign-in.
//
// # Nobody is lost
//
// The row is the truth and the attribute a copy of it. Ensuring the row is
// idempotent and is done by whichever trigger comes first: if PostConfirmation
// failed, or its attribute never got written, the next token makes good for
// it ([Result].Healed). Cognito may run a trigger several times at once; the
// store's unique keys see to it that there is one row.
//
// Cognito lets a pool have 25 attribute writes a second, so a first sign-in
// makes one, and not two: the token trigger, whose event may be older than
// PostConfirmation's write, does not repeat it within the first minute of a
// user. What is then still missing, the next token writes. Who is disabled, or
// has a weak password, is Cognito's business and not decided here.
//
// # Failing closed and open
//
// No id, no token: PreTokenGeneration fails if neither attribute nor row can
// be had, unless Config.AllowMissingUserID. PostConfirmation fails if there is
// no row, so that the student tries again, but not for want of the attribute
// or of the queue. PostAuthentication never fails. What failed open is in
// [Result], in the log, and for you to count: [EMF] makes CloudWatch metrics of
// it.
//
// # Security model
//
// A user is the sub. A provider's id links an old row only if Cognito vouches
// for it: status EXTERNAL_PROVIDER, an entry of identities, a provider in
// Config.Providers. Never the email, never the username's text. When that is
// unclear, no row is made or linked.
//
// The attribute is believed, so no app client may be able to write it: leave
// it out of every client's WriteAttributes, and in ReadAttributes. For a pool
// where one could, set Config.UserIDSource to [AlwaysStore], and
// Config.RefuseMismatch to find out who did.
//
// An empty list of groups in a token's answer would take the user's groups out
// of it. None is ever given by accident.
//
// A trigger's error is shown to the user, so every error is a [PublicError]
// with a fixed text, in English or in your words (Config.Texts). Logs and
// errors hold no sub, email, username or id, and never the event. A panic of
// what is plugged in here ends as such an error.
//
// # Errors
//
// [Triggers.Handle] returns a [PublicError] that wraps one of this package's
// sentinels or one of package users. Constructors return [ErrConfig].
//
// # Compatibility
//
// Cognito adds fields to its events; they come back untouched. Field names,
// environment variables, reasons, metric names and the message [SignIn] (by its
// version) are stable.
package lambda
