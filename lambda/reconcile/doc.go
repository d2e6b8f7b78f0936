// Package reconcile compares a Cognito user pool with the user table, and
// makes good what the triggers could not.
//
//	report, err := reconcile.Run(ctx, reconcile.Config{
//		Pool:      reconcile.NewCognitoPool(cognitoidentityprovider.NewFromConfig(aws), poolID),
//		Users:     store,
//		Providers: []string{"Kakao", "Google"},
//		OnFinding: func(f reconcile.Finding) { … },
//	})
//
// It changes nothing unless Config.Apply is set. The command lambda/cmd/ssoctl
// runs it from a terminal or a nightly job.
//
// # How
//
// First it reads the whole table, a page at a time, and keeps of every row its
// primary key and short hashes of the sub and of the ids at providers: about
// 120 bytes a row. Then it lists the pool. A user whose row and attribute agree
// costs nothing more. One that seems off is looked up in the table again, and,
// before it is repaired, in the pool too, so that what a trigger mended
// meanwhile is not reported and nothing is written on old news. At the end
// every sub that was in the table and not in the list is asked for by name.
//
// # Beside live traffic
//
// It may run at any time. Every repair is one that a trigger could make at the
// same moment: Ensure is idempotent, and the attribute is a copy of the row.
// Users younger than Config.SkipYounger are left to the triggers that are
// making them. Calls are paced well under Cognito's quotas, which live
// sign-ups share. Two reconciliations at once do no harm, and help nobody.
//
// A second run after one with Config.Apply finds what needs a person, and
// nothing else.
//
// # Errors
//
// [ErrConfig], [ErrPool], [ErrStore], [ErrCheckpoint], or that of the context.
// None holds a sub, a username or another personal datum, nor does [Report].
// A [Finding] has a sub, and ids of rows.
package reconcile
