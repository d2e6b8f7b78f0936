package lambda

import "fmt"

// guard calls f and turns a panic into an error, of which only the type is
// told: its value may quote anything, and Cognito would show it.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %T", errPanic, v)
		}
	}()
	return f()
}
