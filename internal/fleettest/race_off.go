//go:build !race

package fleettest

// UnderRace says whether the race detector is on.
const UnderRace = false
