//go:build race

package chaos_test

// underRace makes the runs smaller: the detector costs about ten times the time.
const underRace = true
