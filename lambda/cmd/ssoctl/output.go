package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
)

// output shows findings as they come, and the end.
type output interface {
	finding(reconcile.Finding) error
	end(summary) error
}

// summary is how a run ended.
type summary struct {
	reconcile.Report
	ok, applied, complete bool
	pool, table, store    string
	took                  time.Duration
}

// idForm is what an id of a row looks like. An attribute of another form may be
// anything, also what a user wrote there.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

const oddAttribute = "(not an id)"

// quiet takes out of a finding what is personal.
func quiet(f reconcile.Finding, subs bool) reconcile.Finding {
	if subs {
		return f
	}
	f.Sub = ""
	if f.Attribute != "" && !idForm.MatchString(f.Attribute) {
		f.Attribute = oddAttribute
	}
	return f
}

// jsonOutput prints JSON lines. They are part of this program's interface.
type jsonOutput struct {
	w    io.Writer
	subs bool
}

func (o *jsonOutput) line(v any) error {
	enc := json.NewEncoder(o.w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (o *jsonOutput) finding(f reconcile.Finding) error {
	return o.line(struct {
		Type string `json:"type"`
		reconcile.Finding
	}{"finding", quiet(f, o.subs)})
}

func (o *jsonOutput) end(s summary) error {
	remaining := map[reconcile.Severity]int{}
	for _, severity := range []reconcile.Severity{reconcile.Drift, reconcile.Conflict, reconcile.Notice} {
		remaining[severity] = s.Remaining(severity)
	}
	return o.line(struct {
		Type      string                     `json:"type"`
		OK        bool                       `json:"ok"`       // as the exit status
		Complete  bool                       `json:"complete"` // false if it could not finish
		Applied   bool                       `json:"applied"`
		Pool      string                     `json:"pool"`
		Table     string                     `json:"table"`
		Seconds   float64                    `json:"seconds"`
		Remaining map[reconcile.Severity]int `json:"remaining"`
		reconcile.Report
	}{"summary", s.ok && s.complete, s.complete, s.applied, s.pool, s.table, s.took.Seconds(), remaining, s.Report})
}

// tableOutput keeps some findings of each kind, and prints tables at the end.
type tableOutput struct {
	w     io.Writer
	limit int // of each kind; 0 is none
	subs  bool
	kept  map[reconcile.Kind][]reconcile.Finding
	more  int
}

func (o *tableOutput) finding(f reconcile.Finding) error {
	if o.kept == nil {
		o.kept = map[reconcile.Kind][]reconcile.Finding{}
	}
	if o.limit > 0 && len(o.kept[f.Kind]) >= o.limit {
		o.more++
		return nil
	}
	o.kept[f.Kind] = append(o.kept[f.Kind], quiet(f, o.subs))
	return nil
}

func (o *tableOutput) end(s summary) error {
	text := &strings.Builder{}
	mode := "dry run"
	if s.applied {
		mode = "repairing"
	}
	_, _ = fmt.Fprintf(text, "Pool %s and table %s (%s), %s\n\n", s.pool, s.table, s.store, mode)
	if len(o.kept) > 0 {
		o.findings(text, s.applied)
		counts(text, s)
	}
	closing(text, s)
	_, err := io.WriteString(o.w, text.String())
	return err
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func (o *tableOutput) findings(text *strings.Builder, applied bool) {
	w := newTable(text)
	what := "WITH --apply"
	if applied {
		what = "DONE"
	}
	_, _ = fmt.Fprintf(w, "FINDING\tROW\tATTRIBUTE\tPROVIDER\t%s", what)
	if o.subs {
		_, _ = fmt.Fprint(w, "\tSUB")
	}
	_, _ = fmt.Fprintln(w)
	for _, kind := range reconcile.Kinds {
		for _, f := range o.kept[kind] {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", plain(string(f.Kind)), dash(f.RowID), dash(shown(f.Attribute)), dash(f.Provider), done(f, applied))
			if o.subs {
				_, _ = fmt.Fprint(w, "\t"+dash(shown(f.Sub)))
			}
			_, _ = fmt.Fprintln(w)
		}
	}
	_ = w.Flush() // to a builder
	if o.more > 0 {
		_, _ = fmt.Fprintf(text, "… and %s more: --limit 0 shows all of them, --json too\n", thousands(int64(o.more)))
	}
	_, _ = fmt.Fprintln(text)
}

// done says what --apply would do, or did.
func done(f reconcile.Finding, applied bool) string {
	switch {
	case f.Action == reconcile.NoAction && f.Severity == reconcile.Notice:
		return "nothing"
	case f.Action == reconcile.NoAction:
		return "a person must decide"
	case applied && !f.Repaired:
		return "not repaired"
	}
	return actionText[f.Action]
}

var actionText = map[reconcile.Action]string{
	reconcile.WriteAttribute: "write the row's id to the pool",
	reconcile.CreateRow:      "create a row, write its id",
	reconcile.LinkRow:        "link the old row, write its id",
	reconcile.MoveRow:        "move the row to the new sub, write its id",
	reconcile.FillProviderID: "fill in the id at the provider",
}

// counts is the table of how many there are of each kind.
func counts(text *strings.Builder, s summary) {
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "FOUND\tREPAIRED\tLEFT\t")
	for _, kind := range reconcile.Kinds {
		if n := s.Found[kind]; n > 0 {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t  %s (%s)\n", thousands(int64(n)), thousands(int64(s.Repaired[kind])), thousands(int64(n-s.Repaired[kind])),
				plain(string(kind)), kind.Severity())
		}
	}
	_ = w.Flush() // to a builder
	_, _ = fmt.Fprintln(text)
}

func closing(text *strings.Builder, s summary) {
	_, _ = fmt.Fprintf(text, "Looked at %s and %s in %s", counted(int64(s.Users), "user", "users"), counted(int64(s.Rows), "row", "rows"), roughly(s.took))
	if skipped := skips(s); skipped != "" {
		_, _ = fmt.Fprintf(text, "; left out %s", skipped)
	}
	if s.Throttled > 0 {
		_, _ = fmt.Fprintf(text, "; throttled %s", counted(int64(s.Throttled), "time", "times"))
	}
	_, _ = fmt.Fprintln(text, ".")
	drift, conflict := s.Remaining(reconcile.Drift), s.Remaining(reconcile.Conflict)
	switch {
	case !s.complete:
		_, _ = fmt.Fprintln(text, "It did not finish: these counts are a part.")
	case drift == 0 && conflict == 0:
		_, _ = fmt.Fprintln(text, "Pool and table are in step.")
	default:
		_, _ = fmt.Fprintln(text, "Pool and table are not in step: "+advice(drift, conflict, s.applied)+".")
	}
}

func roughly(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}

func advice(drift, conflict int, applied bool) string {
	var parts []string
	if drift > 0 && applied {
		parts = append(parts, counted(int64(drift), "finding", "findings")+" could not be repaired; run it again")
	} else if drift > 0 {
		parts = append(parts, "--apply repairs "+counted(int64(drift), "finding", "findings"))
	}
	if conflict > 0 {
		parts = append(parts, counted(int64(conflict), "finding needs", "findings need")+" a person, see docs/reconcile.md")
	}
	return strings.Join(parts, "; ")
}

func skips(s summary) string {
	var parts []string
	for skip, n := range s.Skipped {
		if n > 0 {
			parts = append(parts, thousands(int64(n))+" "+plain(string(skip)))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// shown is a text that cannot move the cursor.
func shown(s string) string {
	if idForm.MatchString(s) || s == oddAttribute || s == "" {
		return s
	}
	return strconv.QuoteToASCII(s)
}

func plain(s string) string { return strings.ReplaceAll(s, "_", " ") }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes 12,345.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
