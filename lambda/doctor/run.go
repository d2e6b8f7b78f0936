package doctor

import (
	"context"
	"slices"
)

// run is one look at everything.
type run struct {
	Config
	facts
	report   Report
	progress Progress
}

// Run looks at everything that cfg names, and returns what is not right. It
// returns a report and no error even if calls were refused, see [NotAsked]. It
// is safe for concurrent use.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	r := &run{Config: cfg, report: Report{Findings: []Finding{}, NotLookedAt: map[Subject]string{}}}
	r.more(3) // the pool, and the lists of clients and providers
	if err := r.gather(ctx); err != nil {
		return Report{}, err
	}
	for _, check := range []func(context.Context){
		r.checkPool, r.checkAttribute, r.checkTriggers, r.checkProviders, r.checkClients, r.checkURLs,
		r.checkDomain, r.checkIssuer, r.checkQueue, r.checkTable,
	} {
		check(ctx)
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
	}
	r.sort()
	r.OnProgress(Progress{Done: r.progress.Total, Total: r.progress.Total})
	return r.report, nil
}

// more says that n more calls are to come.
func (r *run) more(n int) { r.progress.Total += n }

// doing tells which call comes now.
func (r *run) doing(what string) {
	r.progress.Doing = what
	r.progress.Total = max(r.progress.Total, r.progress.Done+1)
	r.OnProgress(r.progress)
	r.progress.Done++
}

// add adds a finding; command is at most one.
func (r *run) add(id ID, target, found string, command ...string) {
	k := kindOf(id)
	f := Finding{ID: id, Subject: k.subject, Severity: k.severity, Target: target, Found: found, Why: k.why, Fix: k.fix, Template: k.template}
	if len(command) > 0 {
		f.Command = command[0]
	}
	r.report.Findings = append(r.report.Findings, f)
}

// answered reports whether a call was answered; if not, that is a finding.
func (r *run) answered(about Subject, operation, target string, err error) bool {
	if err == nil {
		return true
	}
	k := kindOf(NotAsked)
	r.report.Findings = append(r.report.Findings, Finding{
		ID: NotAsked, Subject: about, Severity: k.severity, Target: target,
		Found: operation + ": " + code(err) + ".", Why: k.why, Fix: k.fix,
	})
	return false
}

// sort puts the findings in the order of subjects, the worst first, and
// otherwise as they were found.
func (r *run) sort() {
	slices.SortStableFunc(r.report.Findings, func(a, b Finding) int {
		if d := slices.Index(Subjects, a.Subject) - slices.Index(Subjects, b.Subject); d != 0 {
			return d
		}
		return slices.Index(Severities, a.Severity) - slices.Index(Severities, b.Severity)
	})
}

// leaveOut says that a subject is not looked at, and what would bring it in.
func (r *run) leaveOut(s Subject, how string) { r.report.NotLookedAt[s] = how }
