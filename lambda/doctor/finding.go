package doctor

// ID names a finding, and stays as it is: alarms and suppressions may rest on
// it. docs/doctor.md has a section for each.
type ID string

// Severity says what a finding means.
type Severity string

const (
	// Error: something does not work, or is not safe.
	Error Severity = "error"
	// Warning: it works, and is not as it should be.
	Warning Severity = "warning"
	// Notice: worth knowing; it may be meant so.
	Notice Severity = "notice"
	// Unknown: it could not be asked, so that nobody can tell.
	Unknown Severity = "unknown"
)

// Severities are all of them, the worst first.
var Severities = []Severity{Error, Unknown, Warning, Notice}

// Subject is what a finding is about.
type Subject string

// The subjects.
const (
	Pool      Subject = "pool"
	Attribute Subject = "user id attribute"
	Triggers  Subject = "triggers"
	Providers Subject = "identity providers"
	Clients   Subject = "app clients"
	URLs      Subject = "URLs"
	Domain    Subject = "domain"
	Issuer    Subject = "issuer and keys"
	Queue     Subject = "queue"
	Table     Subject = "database"
)

// Subjects are all of them, in the order of a report.
var Subjects = []Subject{Pool, Attribute, Triggers, Providers, Clients, URLs, Domain, Issuer, Queue, Table}

// Finding is one thing that is not right, or could not be asked. It holds no
// personal data and no secret.
type Finding struct {
	ID       ID       `json:"id"`
	Subject  Subject  `json:"subject"`
	Severity Severity `json:"severity"`
	// Target is what has it: the id of a client, or the name of a provider,
	// trigger, function or queue; "" if it is the pool's.
	Target string `json:"target,omitempty"`
	// Found is what is so, in a sentence.
	Found string `json:"found"`
	// Why is why it matters, in a sentence.
	Why string `json:"why"`
	// Fix is what to do, in a sentence.
	Fix string `json:"fix"`
	// Template is the setting in the templates of lambda/deploy, "" if there is
	// none.
	Template string `json:"template,omitempty"`
	// Command is an AWS CLI or ssoctl command that does it, "" if there is none
	// that is safe: update-user-pool and update-user-pool-client reset every
	// setting that they are not given, so they are never proposed.
	Command string `json:"command,omitempty"`
}

// Report is what a run found.
type Report struct {
	// Findings are in the order of Subjects.
	Findings []Finding `json:"findings"`
	// NotLookedAt are subjects that the configuration leaves out, and what
	// would bring them in.
	NotLookedAt map[Subject]string `json:"not_looked_at,omitempty"`
	// Clients, Providers and Functions are how many were looked at, Users how
	// many were compared with the table.
	Clients   int `json:"clients"`
	Providers int `json:"providers"`
	Functions int `json:"functions"`
	Users     int `json:"users"`
	// Plan is the pool's feature plan, as AWS spells it.
	Plan string `json:"plan"`
}

// Count is how many findings are of a severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Clean reports whether there is neither an error nor a warning nor anything
// unknown. Notices may be there.
func (r Report) Clean() bool {
	return r.Count(Error) == 0 && r.Count(Warning) == 0 && r.Count(Unknown) == 0
}
