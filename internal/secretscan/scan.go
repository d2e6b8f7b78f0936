package secretscan

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const (
	// minSecret is the length from which text is distinctive: shorter values
	// are found everywhere.
	minSecret = 16
	// maxKept is how much text waits for secrets that are not known yet.
	maxKept = 16 << 20
	// maxFindings is how many are worth reading.
	maxFindings = 20
)

// forms are texts that give themselves away.
var forms = map[string]*regexp.Regexp{
	"a token":          regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*`),
	"an email address": regexp.MustCompile(`[A-Za-z0-9._+-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b`),
}

// Finding is a secret in a text. It does not hold the secret.
type Finding struct {
	Kind  string // what it is, such as "a refresh token"
	Where string // in what it was, such as "a log"
	Line  string // around it, with "[...]" for the secret
}

func (f Finding) String() string {
	return fmt.Sprintf("%s in %s: %s", f.Kind, f.Where, f.Line)
}

// Scanner collects secrets and texts. The zero value is ready. It is safe for
// concurrent use.
type Scanner struct {
	mu      sync.Mutex
	secrets map[[minSecret]byte][]secret // by how they begin
	known   map[string]bool
	kept    []text
	size    int
	found   []Finding
}

type secret struct{ kind, text string }

type text struct{ where, text string }

// Learn notes a secret. Text of fewer than 16 bytes is too common to be one.
func (s *Scanner) Learn(kind, value string) {
	if len(value) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return
	}
	if s.known == nil {
		s.known, s.secrets = map[string]bool{}, map[[minSecret]byte][]secret{}
	}
	s.known[value] = true
	start := [minSecret]byte([]byte(value[:minSecret]))
	s.secrets[start] = append(s.secrets[start], secret{kind, value})
}

// Saw takes a text to be searched, also for secrets that are learnt later.
func (s *Scanner) Saw(where, t string) {
	if t == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, text{where, t})
	if s.size += len(t); s.size > maxKept {
		s.scan()
	}
}

// Findings searches everything that was seen, and returns what was found, the
// first few of it.
func (s *Scanner) Findings() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan()
	return slices.Clone(s.found)
}

// scan searches the texts that were kept and drops them. s.mu is held.
func (s *Scanner) scan() {
	for _, t := range s.kept {
		for line := range strings.Lines(t.text) {
			s.scanLine(t.where, line)
		}
	}
	s.kept, s.size = nil, 0
}

func (s *Scanner) scanLine(where, line string) {
	if len(s.found) >= maxFindings {
		return
	}
	for kind, form := range forms {
		if at := form.FindStringIndex(line); at != nil {
			s.found = append(s.found, finding(kind, where, line, at[0], at[1]))
			return
		}
	}
	for i := 0; i+minSecret <= len(line); i++ {
		for _, secret := range s.secrets[[minSecret]byte([]byte(line[i:i+minSecret]))] {
			if strings.HasPrefix(line[i:], secret.text) {
				s.found = append(s.found, finding(secret.kind, where, line, i, i+len(secret.text)))
				return
			}
		}
	}
}

// finding shows a little of the line around what was found.
func finding(kind, where, line string, from, to int) Finding {
	const around = 80
	before, after := line[max(0, from-around):from], line[to:min(len(line), to+around)]
	return Finding{kind, where, strings.TrimSpace(before) + "[...]" + strings.TrimSpace(after)}
}

// process is the scanner of this test binary.
var process Scanner

// Learn notes a secret of this process; see [Scanner.Learn].
func Learn(kind, value string) { process.Learn(kind, value) }

// Saw takes a text of this process to be searched; see [Scanner.Saw].
func Saw(where, t string) { process.Saw(where, t) }

// Writer returns a writer whose text is searched. Each Write is a text of its
// own, as a log writes a record.
func Writer(where string) io.Writer { return writer(where) }

type writer string

func (w writer) Write(p []byte) (int, error) {
	Saw(string(w), string(p))
	return len(p), nil
}
