// Package secretscan finds secrets and personal data in what a test binary
// writes. A package's TestMain hands its run to [Main], which also reads what
// the binary writes to its standard output, standard error and log; harnesses
// hand over the rest with [Saw] and [Writer]: logs they keep, texts of errors,
// pages that say no, labels of metrics.
//
// Two kinds of text are found. What has the form of a token or of an email
// address, wherever it comes from; and what somebody has called a secret with
// [Learn], or what [Transport] saw pass as one: codes, tokens, verifiers,
// client secrets, states, nonces, values of cookies. Names of tests and what
// tests say of themselves are not searched, and what the runtime itself writes
// (a crash, the builtin println) is not seen.
package secretscan
