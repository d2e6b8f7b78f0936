package function

import (
	"runtime/debug"
	"strconv"
)

// rarely is how much garbage, in percent of what is in use, there may be before
// it is collected. A function keeps some 3 MB from one event to the next, so
// with Go's 100 % each large event of a queue is collected by itself: a tenth of
// the time of a batch of 1,000.
const rarely = 400

// collectRarely trades the function's memory, which is paid for anyway, for
// time, but keeps the Go runtime to three quarters of it, so that a very large
// event is still collected in time. GOGC and GOMEMLIMIT, where they are set, win.
func collectRarely(getenv func(string) string) {
	megabytes, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err != nil || megabytes <= 0 { // not in Lambda: how much there is nobody knows
		return
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(rarely)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(megabytes << 20 / 4 * 3)
	}
}
