//go:build !race

package crash_test

const underRace = false
