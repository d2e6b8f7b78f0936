package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
)

// doctorPhase is what the progress bar shows.
const doctorPhase reconcile.Phase = "doctor"

// printDoctor prints findings by subject, then a line for each subject, then
// what it comes to.
func (c *cli) printDoctor(r doctor.Report, pool string, d diagnosis) error {
	text := &strings.Builder{}
	_, _ = fmt.Fprintf(text, "Pool %s, plan %s: %s, %s, %s\n\n", pool, dash(r.Plan),
		counted(int64(r.Clients), "client", "clients"), counted(int64(r.Providers), "provider", "providers"), counted(int64(r.Functions), "function", "functions"))
	for _, subject := range doctor.Subjects {
		printSubject(text, subject, findingsOf(r, subject))
	}
	printOverview(text, r)
	_, _ = fmt.Fprintln(text, "\n"+closingOf(r, d))
	_, err := io.WriteString(c.out, text.String())
	return err
}

func findingsOf(r doctor.Report, s doctor.Subject) (all []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Subject == s {
			all = append(all, f)
		}
	}
	return all
}

func printSubject(text *strings.Builder, s doctor.Subject, findings []doctor.Finding) {
	if len(findings) == 0 {
		return
	}
	_, _ = fmt.Fprintln(text, strings.ToUpper(string(s)))
	for _, f := range findings {
		_, _ = fmt.Fprintf(text, "  %-7s  %s", f.Severity, f.ID)
		if f.Target != "" {
			_, _ = fmt.Fprintf(text, "  %s", oneLine(f.Target))
		}
		_, _ = fmt.Fprintln(text)
		_, _ = fmt.Fprintf(text, "           %s\n           Why: %s\n           Fix: %s\n", oneLine(f.Found), f.Why, f.Fix)
		if f.Template != "" {
			_, _ = fmt.Fprintf(text, "           In the templates: %s\n", f.Template)
		}
		if f.Command != "" {
			_, _ = fmt.Fprintf(text, "           $ %s\n", oneLine(f.Command))
		}
	}
	_, _ = fmt.Fprintln(text)
}

// oneLine is a text that stays on its line and moves no cursor: names of clients'
// URLs and of providers are anybody's.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func printOverview(text *strings.Builder, r doctor.Report) {
	w := newTable(text)
	_, _ = fmt.Fprintln(w, "SUBJECT\tERRORS\tUNKNOWN\tWARNINGS\tNOTICES\t")
	for _, subject := range doctor.Subjects {
		count := map[doctor.Severity]int{}
		for _, f := range findingsOf(r, subject) {
			count[f.Severity]++
		}
		how, out := r.NotLookedAt[subject]
		if out {
			how = "not looked at: " + how
		} else if len(count) == 0 {
			how = "ok"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", subject, orDash(count[doctor.Error]), orDash(count[doctor.Unknown]), orDash(count[doctor.Warning]), orDash(count[doctor.Notice]), how)
	}
	_ = w.Flush() // to a builder
}

// orDash leaves a nought out, so that the rest is seen.
func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func closingOf(r doctor.Report, d diagnosis) string {
	switch d {
	case well:
		return "All that was looked at is as it must be."
	case unclear:
		return "Nobody can tell: " + counted(int64(r.Count(doctor.Unknown)), "question was", "questions were") + " not answered. What was answered is as it must be."
	}
	parts := []string{}
	for _, s := range doctor.Severities {
		if n := r.Count(s); n > 0 {
			parts = append(parts, counted(int64(n), string(s), pluralOf[s]))
		}
	}
	return "It is not as it must be: " + strings.Join(parts, ", ") + ". docs/doctor.md explains each."
}

var pluralOf = map[doctor.Severity]string{doctor.Error: "errors", doctor.Unknown: "unknown", doctor.Warning: "warnings", doctor.Notice: "notices"}
