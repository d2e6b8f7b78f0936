// Command attacks runs every attack row of the project and counts them by
// class:
//
//	go run ./internal/attacks
//
// A row is a subtest with no subtest of its own, of a test that is listed in
// classes, or such a test itself where it has none. What counts is what "go
// test -json" reports of this run: nothing is read from the sources. The last
// line is
//
//	ATTACKS rows=<rows that ran> failed=<rows that failed or were skipped>
//
// and the exit status is 1 if a row failed, if a class has fewer rows than its
// floor, if a test that is listed did not run, if one called TestAttack… is not
// listed, or if anything else that ran failed.
package main
