package fleettest

// fate is what becomes of a refresh on the wire.
type fate int

const (
	delivered            fate = iota
	refused                   // 503, and the pool has heard nothing
	hangs                     // no answer, and the pool has heard nothing
	answerLost                // the pool has rotated, the answer is cut
	holderDies                // with the lock; the pool has heard nothing
	holderDiesWithAnswer      // the pool has rotated
)

// String is for the report.
func (f fate) String() string {
	return [...]string{"delivered", "refused", "hung", "answer lost", "holder killed before", "holder killed after"}[f]
}

// trouble is what a round has to stand.
type trouble struct {
	name string
	// fates befall refreshes, with this chance where there are 100 browsers or
	// more; holders are killed so often at most.
	fates  []fate
	chance float64
	most   int
	// kills are of processes, at any time; pause and crash are of the store's
	// server.
	kills        int
	pause, crash bool
	keysAway     bool
	// past makes all tokens expire before anybody comes.
	past bool
}

// troubles take turns, in an order of the seed's.
var troubles = []*trouble{
	{name: "nothing"},
	{name: "late", past: true},
	{name: "processes are killed", kills: 3},
	{name: "holders are killed", fates: []fate{holderDies, holderDiesWithAnswer}, chance: 0.15, most: 4},
	{name: "answers are lost", fates: []fate{answerLost}, chance: 0.15},
	{name: "Cognito refuses", fates: []fate{refused}, chance: 0.8},
	{name: "Cognito hangs", fates: []fate{hangs}, chance: 0.3},
	{name: "the store stands still", pause: true},
	{name: "the store crashes", crash: true},
	{name: "no key server", keysAway: true},
}
