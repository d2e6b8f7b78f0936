// Package crash kills the real functions of the user sync, and their database,
// in the middle of their work, and then lets a reader that shares no code with
// them say whether anybody was lost. All of it is tests: make crash, or go test.
//
// People sign up and in through the real sso-trigger, which calls the real
// sso-dbsync; sign-ins go through a real queue to the real sso-signins; both
// write to a real PostgreSQL. Between each of these two and PostgreSQL sits a
// proxy that knows where a statement is: on its way, running, committed with
// the answer on its way back. That makes the moments long enough to be hit, and
// tells which one was.
//
// The seed decides who comes and how often, which process is killed in which
// moment and after how many such moments, how long each delay is, and what
// becomes of a statement whose sender is dead. It does not decide which of two
// processes gets the next event, nor how long a machine takes. A failure prints
// the seed, every kill, and the life of the person.
package crash
