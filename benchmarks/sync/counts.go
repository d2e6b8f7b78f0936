package main

import "testing"

// counted is what one sign-up and one sign-in asked for, at most.
type counted struct {
	stack                  string
	signUps, signIns       int
	up, in                 asked
	tokens                 int // with a userId
	rows, unlinked, queued int
}

// asked are calls, of the one who caused most.
type asked struct{ database, statements, cognito, sqs int }

func (a asked) atMost(b asked) asked {
	return asked{max(a.database, b.database), max(a.statements, b.statements), max(a.cognito, b.cognito), max(a.sqs, b.sqs)}
}

func (s *stack) asked() asked {
	cognito, _ := s.api.total("")
	sqs, _ := s.sqs.total("")
	return asked{int(s.door.turns.Load()), int(s.door.syncs.Load()), cognito, sqs}
}

func (a asked) since(b asked) asked {
	return asked{a.database - b.database, a.statements - b.statements, a.cognito - b.cognito, a.sqs - b.sqs}
}

// count counts n sign-ups and then n sign-ins of the same people, one by one, on
// connections that are there.
func count(t testing.TB, cfg stackConfig, n int) counted {
	t.Helper()
	cfg.proxied, cfg.counted = true, true
	s := newStack(t, cfg, &subjects{})
	first, _ := s.signUp(t) // opens connections
	c := counted{stack: cfg.name, signUps: n, signIns: n}
	var people []string
	for range n {
		before := s.asked()
		subject, v := s.signUp(t)
		c.up = c.up.atMost(s.asked().since(before))
		people = append(people, subject)
		if v.userID != "" {
			c.tokens++
		}
	}
	for _, subject := range people {
		before := s.asked()
		if s.signIn(t, subject).userID != "" {
			c.tokens++
		}
		c.in = c.in.atMost(s.asked().since(before))
	}
	people = append(people, first)
	c.rows = cfg.database.number(t, "SELECT count(*) FROM users WHERE cognito_sub IS NOT NULL AND kakao_id IS NOT NULL")
	for _, subject := range people {
		if u, ok := s.pool.User("Kakao_" + subject); !ok || u.Attributes["custom:userId"] == "" {
			c.unlinked++
		}
	}
	c.queued, _, _ = s.queue.Counts(t)
	return c
}
