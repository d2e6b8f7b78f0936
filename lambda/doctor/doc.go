// Package doctor checks a live user pool, and what is around it, against what
// this system needs.
//
//	report, err := doctor.Run(ctx, doctor.Config{
//		UserPoolID: "ap-northeast-2_AbCdEfGhI",
//		Cognito:    cognitoidentityprovider.NewFromConfig(aws),
//		Lambda:     lambda.NewFromConfig(aws),
//	})
//
// It asks only: nothing is changed, no user is signed in, no message is taken
// from a queue. The command lambda/cmd/ssoctl runs it; docs/doctor.md explains
// every finding.
//
// # How
//
// First all facts are asked for, one call after the other, well under
// Cognito's quotas. Then each check looks at them. A call that is refused or
// not answered becomes the finding [NotAsked], and the checks that need its
// answer are left out: nothing is ever taken for right because it could not be
// seen.
//
// # Personal data and secrets
//
// AWS answers DescribeUserPoolClient and DescribeIdentityProvider with client
// secrets in them. They are neither kept nor shown: a finding holds ids and
// names of clients, providers, functions and queues, settings, and counts. No
// error holds what AWS answered, apart from the name of its error.
//
// # Errors
//
// [ErrConfig], [ErrPool] if the pool itself could not be looked at, or that of
// the context.
package doctor
