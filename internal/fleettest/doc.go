// Package fleettest runs a web app in two processes behind one session store,
// with many browsers, and breaks what can break; then it says whether anybody
// was signed out who should not be, or stayed who should not.
//
// The processes are the test binary again ([Main]), killed with SIGKILL. The
// store and its server are real, the user pool is ssotest with refresh tokens
// that rotate without grace. Between processes and pool is a wire, which tells
// what reached the pool and what came back, and loses, delays and refuses; in
// front is a balancer. Browsers keep cookies, follow redirects and load several
// pages at once. Each round begins with a step of the clock that pool and
// processes share, so that every session is due to be refreshed.
//
// # What must hold
//
// The judge shares no code with package middleware. It knows what browsers saw,
// what crossed the wire and what was broken when. It counts
//
//   - wrong: a browser was asked to sign in though it had neither signed out
//     nor passed a limit nor been ended in the pool, and the pool had given its
//     session a refresh token that arrived; a page of somebody else; a 5xx while
//     the session's tokens lived and the store was there, or from a process
//     that nobody killed; somebody who cannot get in when nothing is broken;
//   - revived: a page for a session after its sign-out was answered, beyond its
//     idle or absolute limit, or when the tokens of before the pool ended its
//     user's sign-ins were past;
//   - doubled: a refresh token that reached the pool twice, the first time's
//     answer having arrived or being on its way.
//
// All three must be 0. Not a violation, and counted as lost: with rotation and
// no grace a session ends if the pool has rotated its refresh token and nobody
// has the new one, because the answer was lost or its receiver killed before it
// had stored it. The judge allows it to the sessions whose own last refresh
// that befell, and to no other.
//
// # How the judge knows
//
// It does not guess by time. Each process has a spy below it, on its calls to the
// pool and to the store, which tells the judge what came of each, and waits
// until the judge has it, before the process goes on: whether an answer arrived
// as a whole or was given up, which tokens a record has that was stored or
// read, who has a lock, and when the store failed. What is asked of the pool by
// a sender that has given up is not sent. So tokens are lost if no store has
// said that it has them, and who received them, if anybody did, is dead; and a
// 5xx is excused by a failure that happened in that process and at that time.
// Two allowances are left: a driver may find a dead connection two seconds after
// the server is back, and what a dying process sent may reach the store a second
// after it.
//
// # What a seed decides
//
// The seed decides what each browser does in each round, which fault a round
// has, and the fate of each refresh, by the person's number. It does not decide
// which process is asked first, nor how long a machine takes. A violation comes
// with the seed and the life of the session.
package fleettest
