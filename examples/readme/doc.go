// Package readme holds the Go code of the README as code that is compiled and
// run: each block of the README is a marked region of a file here, and a test
// compares the two. It has nothing to import.
package readme
