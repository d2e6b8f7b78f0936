// Package remote is a user table that another Lambda function reaches: a
// [users.Store] that invokes it, and the [Handler] that this function serves.
//
// The function that answers Cognito has to reach Cognito's API and so has no
// VPC; the one that reaches the database sits inside the VPC and needs no AWS
// API at all. [Store] is in the first, [NewHandler] in the second:
//
//	// in the VPC
//	handler, err := remote.NewHandler(sqlStore, remote.HandlerConfig{})
//	awslambda.Start(handler)
//
//	// outside
//	store, err := remote.New(lambda.NewFromConfig(cfg), remote.Config{Function: "sso-dbsync"})
//
// # Security model
//
// The handler believes whoever may invoke it: it creates rows and gives them to
// the identities that it is told. So lambda:InvokeFunction on it is the right
// to be anybody. Grant it to the role of the function that answers Cognito and
// to the job that reconciles, to nobody else, and give the function no URL and
// no other trigger than the schedule that keeps it warm.
//
// # Time
//
// The store tells the handler how long its caller still waits, less what the
// answer needs for its way. The handler gives up then, so that the caller hears
// why, and a statement does not go on for somebody who is gone. After a cold
// start it counts from when it was asked, by the clock, unless the clocks of
// the two functions differ by more than that time.
//
// A function that is throttled, is not ready (a function in a VPC that was
// idle for weeks fails its first invocation) or crashes is asked again until
// the time is over. Every operation may be asked twice.
//
// # Errors
//
// All errors of package users go over the wire and come out as themselves, for
// errors.Is, and so do those of contexts. Whatever keeps the function from
// answering is [users.ErrUnavailable]. [ErrProtocol] is an answer that makes no
// sense. Texts hold the name of the operation and an error code, never data.
// What the store behind the handler says goes to the log of its function.
//
// # Compatibility
//
// The messages carry a version, 1. Both sides ignore members that they do not
// know, so that the two functions can be deployed one after the other; a member
// that must not be ignored needs another version or operation, which an older
// handler refuses ([ErrProtocol]). Deploy the handler first. An older handler
// ignores "at", the time of a sign-in, and so does not say that it was recorded;
// a newer one records none for an older caller.
//
//	{"v":1,"op":"ensure","timeout_ms":1900,"deadline_ms":1772442001900,"args":{"sub":"…","at":"2026-03-02T09:00:00Z"}}
//	{"v":1,"result":{"id":"42","outcome":"linked","sign_in_recorded":true}}
//	{"v":1,"error":{"code":"unavailable","cause":"deadline"}}
//
// The operations are ensure, id_by_sub, record_sign_ins, get, page and ping.
// Beside them {"warmup":true} is answered with itself, before anything else.
package remote
