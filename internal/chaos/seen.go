package chaos

import (
	"maps"
	"sync"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// seen counts what the handlers say of themselves. It is for the summary only:
// nothing is judged by it.
type seen struct {
	mu sync.Mutex // guards n
	n  map[string]int
}

func (s *seen) add(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == nil {
		s.n = map[string]int{}
	}
	s.n[what] += n
}

func (s *seen) result(r lambda.Result) {
	s.add("triggers "+string(r.Outcome), 1)
	if r.User != "" {
		s.add("rows "+string(r.User), 1)
	}
	for what, yes := range map[string]bool{"attributes healed": r.Healed, "attributes not written": r.AttributeFailed, "sign-ins not queued": r.SignInLost,
		"sign-ins written with the row": r.SignInRecorded} {
		if yes {
			s.add(what, 1)
		}
	}
}

func (s *seen) all() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.n)
}
