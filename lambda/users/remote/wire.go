package remote

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// version of the messages. See "Compatibility" in the package's doc.
const version = 1

// Operations. Their names are in messages and in metrics.
const (
	opEnsure  = "ensure"
	opIDBySub = "id_by_sub"
	opRecord  = "record_sign_ins"
	opGet     = "get"
	opPage    = "page"
	opPing    = "ping"
)

const (
	// maxPayload is Lambda's limit of a request and of an answer.
	maxPayload = 6 << 20
	// maxRows is how much of an answer rows may take; the rest is for what is
	// around them. A page that does not fit comes in parts.
	maxRows = 5 << 20
	// maxBatch is how many sign-ins are in one message. The longest subs, each
	// byte escaped, take 1.6 MB then.
	maxBatch = 1000
)

type request struct {
	V  int    `json:"v"`
	Op string `json:"op"`
	// TimeoutMS is how long the caller waits, less the way back; 0: not said.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
	// DeadlineMS is the same as a Unix time, by the caller's clock.
	DeadlineMS int64           `json:"deadline_ms,omitempty"`
	Args       json.RawMessage `json:"args,omitempty"`
	Warmup     bool            `json:"warmup,omitempty"`
}

type response struct {
	V      int             `json:"v"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *failure        `json:"error,omitempty"`
}

type failure struct {
	Code  string `json:"code"`
	Cause string `json:"cause,omitempty"`
}

type ensureArgs struct {
	Sub      string `json:"sub"`
	Provider string `json:"provider,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Email    string `json:"email,omitempty"`
	Name     string `json:"name,omitempty"`
	// At is missing for what is no sign-in, and from older callers.
	At time.Time `json:"at,omitzero"`
}

type ensureResult struct {
	ID      string        `json:"id"`
	Outcome users.Outcome `json:"outcome"`
	// SignInRecorded is missing from older handlers, which ignore At. So the
	// caller knows that the sign-in is still to be recorded.
	SignInRecorded bool `json:"sign_in_recorded,omitempty"`
}

type subArgs struct {
	Sub string `json:"sub"`
}

type idMessage struct {
	ID string `json:"id"`
}

type recordArgs struct {
	SignIns []signIn `json:"sign_ins"`
}

type signIn struct {
	Sub string    `json:"sub"`
	At  time.Time `json:"at"`
}

type recordResult struct {
	Updated int      `json:"updated"`
	Unknown []string `json:"unknown,omitempty"`
}

type pageArgs struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit"`
}

type pageResult struct {
	Users []json.RawMessage `json:"users"` // each a user
	// More: the rest did not fit; ask for what is behind the last.
	More bool `json:"more,omitempty"`
}

type user struct {
	ID        string            `json:"id"`
	Sub       string            `json:"sub,omitempty"`
	Providers map[string]string `json:"providers"` // null stays null
	Email     string            `json:"email,omitempty"`
	Name      string            `json:"name,omitempty"`
	LastLogin time.Time         `json:"last_login,omitzero"`
	Created   time.Time         `json:"created,omitzero"`
}

// decode reads one JSON value. Unknown members are ignored; "" and null are
// not a value.
func decode(raw json.RawMessage, into any) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, into) == nil
}
