package reconcile

// Kind says what is wrong.
type Kind string

const (
	// UserWithoutRow: nobody's row carries the user's sub. The repair is what
	// the trigger does: [users.Store.Ensure], which links, moves or creates a
	// row; then the attribute is written.
	UserWithoutRow Kind = "user_without_row"
	// AttributeMissing: the user has a row, and no attribute in the pool. The
	// repair writes it.
	AttributeMissing Kind = "attribute_missing"
	// AttributeDiffers: the attribute is not the id of the user's row, nor of
	// any other. The row is the truth: the repair overwrites the attribute.
	AttributeDiffers Kind = "attribute_differs"
	// AttributeOfAnother: the attribute is the id of somebody else's row, so
	// tokens may speak for the wrong person. The repair is the same. Find out
	// how it came there: no app client may write the attribute.
	AttributeOfAnother Kind = "attribute_of_another"
	// RowWithoutProviderID: the user's row lacks the id at the provider, as
	// one does that is older than the column. Without it the person loses the
	// row with the Cognito user. The repair is Ensure, which fills it in.
	RowWithoutProviderID Kind = "row_without_provider_id"
	// SubGone: the row's sub is of no user of this pool: deleted there, or of
	// another pool on the same table. Never repaired: when the person signs
	// up again, the trigger moves the row and keeps a record of it.
	SubGone Kind = "sub_gone"
	// ContestedRow: the user's id at the provider is on a row whose own user
	// is alive in the pool: two users, one row. A person must decide.
	ContestedRow Kind = "contested_row"
	// AmbiguousRows: several rows carry one sub or one id at a provider. The
	// table lacks a unique index; a person must decide which row it is.
	AmbiguousRows Kind = "ambiguous_rows"
	// IdentityConflict: the store refuses to tie this user to a row: the sub
	// and the provider's id are on two rows, the row has another id at the
	// provider, rows may not be moved, or the id has the wrong form.
	IdentityConflict Kind = "identity_conflict"
	// IdentityUnclear: Cognito does not say clearly who this user is at the
	// provider, or the provider is none of Config.Providers, and there is no
	// row with the sub. The triggers refuse such a user.
	IdentityUnclear Kind = "identity_unclear"
)

// Kinds are all kinds, in the order of a report.
var Kinds = []Kind{
	AttributeOfAnother, AttributeDiffers, AttributeMissing, UserWithoutRow, RowWithoutProviderID,
	ContestedRow, AmbiguousRows, IdentityConflict, IdentityUnclear, SubGone,
}

// Severity says who has to do something.
type Severity string

const (
	// Drift can be repaired by Config.Apply.
	Drift Severity = "drift"
	// Conflict needs a person's decision; Config.Apply leaves it.
	Conflict Severity = "conflict"
	// Notice is worth knowing and harms nobody.
	Notice Severity = "notice"
)

// Severity of findings of this kind.
func (k Kind) Severity() Severity {
	switch k {
	case SubGone:
		return Notice
	case ContestedRow, AmbiguousRows, IdentityConflict, IdentityUnclear:
		return Conflict
	}
	return Drift
}

// Action is what Config.Apply does about a finding, or did.
type Action string

const (
	// NoAction: nothing; see the kind.
	NoAction Action = "none"
	// WriteAttribute copies the row's id to the pool.
	WriteAttribute Action = "write_attribute"
	// CreateRow makes a row for the user, then copies its id.
	CreateRow Action = "create_row"
	// LinkRow gives the old row of the provider's id the user's sub.
	LinkRow Action = "link_row"
	// MoveRow gives the row of the provider's id this sub for one that is
	// gone, and keeps a record of that.
	MoveRow Action = "move_row"
	// FillProviderID writes the provider's id into the user's row.
	FillProviderID Action = "fill_provider_id"
)

// Finding is one thing that is wrong. It holds no email, name or username.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	// Action is what is done about it with Config.Apply. Another trigger may
	// be faster, so that in the end it was a smaller one.
	Action Action `json:"action"`
	// Repaired is false in a dry run.
	Repaired bool `json:"repaired"`
	// RowID is the row that it is about, "" if there is none (yet).
	RowID string `json:"row_id,omitempty"`
	// Attribute is the value in the pool, if it is wrong.
	Attribute string `json:"attribute,omitempty"`
	// Provider is the name of the user's identity provider, "" for a native
	// user or if it does not matter.
	Provider string `json:"provider,omitempty"`
	// Sub is the user's. It is personal data.
	Sub string `json:"sub,omitempty"`
}

// Skip says why a user of the pool was not looked at.
type Skip string

const (
	// SkipYoung: created less than Config.SkipYounger ago.
	SkipYoung Skip = "young"
	// SkipInactive: disabled or not confirmed, with neither row nor attribute.
	SkipInactive Skip = "inactive"
	// SkipProvider: of a provider that is none of Config.Providers, without
	// a wrong attribute.
	SkipProvider Skip = "other_provider"
	// SkipVanished: deleted in the pool while we looked.
	SkipVanished Skip = "vanished"
)

// Report counts what a run found. It holds no personal data. After a resumed
// run it counts both parts.
type Report struct {
	// Rows and Users are how many of them were read.
	Rows  int `json:"rows"`
	Users int `json:"users"`
	// Found and Repaired count findings by kind.
	Found    map[Kind]int `json:"found"`
	Repaired map[Kind]int `json:"repaired"`
	// Skipped counts users that were not looked at.
	Skipped map[Skip]int `json:"skipped"`
	// Throttled counts answers of the pool that asked to slow down.
	Throttled int `json:"throttled"`
	// Restarted counts how often the list was begun anew, since its
	// pagination token had expired.
	Restarted int `json:"restarted"`
}

// Remaining is how many findings of a severity are not repaired.
func (r Report) Remaining(s Severity) int {
	n := 0
	for _, k := range Kinds {
		if k.Severity() == s {
			n += r.Found[k] - r.Repaired[k]
		}
	}
	return n
}

// Clean reports whether neither drift nor a conflict remains.
func (r Report) Clean() bool { return r.Remaining(Drift) == 0 && r.Remaining(Conflict) == 0 }
