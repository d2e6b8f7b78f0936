package browsersuite_test

import (
	"slices"
	"testing"
)

// row is something that people or strangers do, with a browser and a world of
// its own.
type row struct {
	name string
	cfg  worldConfig
	run  func(*world)
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	stage := newStage(t)
	rows := slices.Concat(tabRows, signOutRows, cookieRows, appRows, providerRows, formRows, scriptRows,
		pageRows, callbackRows, historyRows, clockRows, modeRows)
	// The browser ends when its test does: these rows run inside of it.
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(stage.newWorld(t, r.cfg))
		})
	}
}
