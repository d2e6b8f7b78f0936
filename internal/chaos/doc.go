// Package chaos looks for people whom the user sync loses, doubles or mixes up.
// It runs thousands of sign-ups and sign-ins through the real handlers and the
// real stores, breaks something at every step, and then lets a reader that
// shares no code with the writers say what became of everybody.
//
// # Time
//
// [Run] is for a bubble of testing/synctest: there the 5 seconds after which
// Cognito gives a trigger up, every deadline in the handlers, the retries of
// the AWS SDK and a message that is a day late cost no real time. Everything
// happens on a grid of ticks, so much of it happens at once: calls that share
// a tick run in parallel, against one database, for real.
//
// That is why the pool here is a model of its own and not ssotest, which serves
// real connections in real time: three attempts of 5 seconds for some thousand
// people would take a day. The order of triggers is compared with ssotest's by
// a test. The AWS SDK is the real one; what answers it is inside the process.
//
// # What a seed decides
//
// A seed decides who comes, when, how often, in how many tabs, and every fault
// of every call, each from the seed and the call's own name, so that none
// depends on the order in which others run. What it cannot decide is which of
// two statements the database takes first in the same instant, and which of
// two callers gets the last place in a quota. A violation comes with the seed and
// the whole history of the person.
package chaos
