package ssotest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// User is a user of the pool, as AddUser takes and User returns it.
type User struct {
	Username   string            // defaults to a random sub
	Password   string            // "" cannot sign in with a password; User does not give it back
	Attributes map[string]string // email, custom:userId, …; sub is set by the pool
	Groups     []string
	// Status defaults to CONFIRMED. Enabled users only can sign in.
	Status   string
	Disabled bool

	Sub     string // read only: set by the pool unless given
	Created time.Time
}

// The states of a user.
const (
	statusUnconfirmed = "UNCONFIRMED"
	statusConfirmed   = "CONFIRMED"
	statusForceChange = "FORCE_CHANGE_PASSWORD"
	statusReset       = "RESET_REQUIRED"
	statusExternal    = "EXTERNAL_PROVIDER"
)

var userStatuses = []string{
	statusUnconfirmed, statusConfirmed, "ARCHIVED", "COMPROMISED", "UNKNOWN", statusReset, statusForceChange, statusExternal,
}

// account is a user as the pool keeps it.
type account struct {
	name, sub         string
	password          [sha256.Size]byte // of a password, if hasPassword
	hasPassword       bool
	attrs             map[string]string // without sub and identities
	groups            []string
	status            string
	disabled          bool
	created, modified time.Time
	identities        []identity
	code              string // confirms the sign-up
	wrongCodes        int
	loaded            map[string]string // attributes that the next sign-in's tokens are made of; nil is the current ones
	lastFederated     bool              // the last sign-in was through a provider
	signedOut         time.Time         // the last global sign-out; the zero time if none
}

// identity is an identity at a provider that signs in as the user.
type identity struct {
	link
	providerType string
	primary      bool // false if it was linked
	created      time.Time
}

// link names an external identity.
type link struct{ provider, subject string }

func (u *account) setPassword(password string) {
	u.password, u.hasPassword = sha256.Sum256([]byte(password)), password != ""
}

func (u *account) checkPassword(password string) bool {
	sum := sha256.Sum256([]byte(password))
	return u.hasPassword && subtle.ConstantTimeCompare(sum[:], u.password[:]) == 1
}

// federated reports whether the user was made by an identity provider.
func (u *account) federated() bool {
	return slices.ContainsFunc(u.identities, func(i identity) bool { return i.primary })
}

// all are the attributes with sub and identities, as the API shows them.
func (u *account) all() map[string]string {
	attrs := maps.Clone(u.attrs)
	attrs["sub"] = u.sub
	if len(u.identities) > 0 {
		attrs["identities"] = u.identitiesAttribute()
	}
	return attrs
}

// forTrigger are the attributes as triggers see them.
func (u *account) forTrigger() map[string]string {
	attrs := u.all()
	attrs["cognito:user_status"] = u.status
	return attrs
}

func (u *account) user() User {
	return User{
		Username:   u.name,
		Attributes: u.all(),
		Groups:     slices.Clone(u.groups),
		Status:     u.status,
		Disabled:   u.disabled,
		Sub:        u.sub,
		Created:    u.created,
	}
}

// newSub makes a sub of the form AWS's have; it is no RFC 9562 UUID.
func newSub() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newUUID makes a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// AddUser adds a user without running triggers and returns it as stored. Groups that are not there are made. A user
// whose Status is EXTERNAL_PROVIDER has the identities of Attributes["identities"] (the attribute's JSON form), else the one
// that its username "<provider>_<subject>" says.
func (p *Pool) AddUser(u User) (User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sub := cmp.Or(u.Sub, newSub())
	a := &account{
		name:     cmp.Or(u.Username, sub),
		sub:      sub,
		attrs:    make(map[string]string),
		status:   cmp.Or(u.Status, statusConfirmed),
		disabled: u.Disabled,
		created:  cmp.Or(u.Created, p.nowLocked()),
	}
	a.modified = a.created
	if !slices.Contains(userStatuses, a.status) {
		return User{}, fmt.Errorf("ssotest: AddUser: Status %q is not one of %s", a.status, strings.Join(userStatuses, ", "))
	}
	ch := change(maps.Clone(u.Attributes))
	identities := ch["identities"]
	delete(ch, "identities")
	if ch["sub"] == sub {
		delete(ch, "sub") // as User gives it back
	}
	// The API refuses a flag about nothing, but federated users have one: so a
	// User that the pool gave can be added again.
	for flag, about := range verifiedFlag {
		if ch[flag] == "false" && ch[about] == "" {
			delete(ch, flag)
			a.attrs[flag] = "false"
		}
	}
	if err := p.schema.check(nil, ch); err != nil {
		return User{}, fmt.Errorf("ssotest: AddUser: %w", err)
	}
	ch.apply(a.attrs)
	if u.Password != "" {
		a.setPassword(u.Password)
	}
	if err := p.setIdentities(a, identities); err != nil {
		return User{}, fmt.Errorf("ssotest: AddUser: %w", err)
	}
	if err := p.insert(a); err != nil {
		return User{}, fmt.Errorf("ssotest: AddUser: %w", err)
	}
	for _, i := range a.identities {
		if !i.primary {
			p.links[i.link] = a.name
			continue
		}
		p.join(a, p.providerGroup(i.provider))
	}
	for _, g := range u.Groups {
		p.makeGroup(g, "")
		p.join(a, g)
	}
	return a.user(), nil
}

// setIdentities reads the identities of a user about to be added.
func (p *Pool) setIdentities(a *account, attribute string) error {
	if attribute == "" {
		if provider, subject, ok := strings.Cut(a.name, "_"); a.status == statusExternal {
			prov, known := p.provider(provider)
			if !ok || !known {
				return fmt.Errorf("the username %q of an external user does not start with a provider's name", a.name)
			}
			a.identities = []identity{{link{provider, subject}, prov.Type, true, a.created}}
		}
		return nil
	}
	var entries []struct {
		UserID       string
		ProviderName string
		Primary      bool
		DateCreated  int64
	}
	if err := json.Unmarshal([]byte(attribute), &entries); err != nil {
		return fmt.Errorf("the attribute identities: %w", err)
	}
	for _, e := range entries {
		prov, ok := p.provider(e.ProviderName)
		if !ok {
			return fmt.Errorf("the attribute identities: no provider %q", e.ProviderName)
		}
		a.identities = append(a.identities,
			identity{link{prov.Name, e.UserID}, prov.Type, e.Primary, time.UnixMilli(e.DateCreated)})
	}
	return nil
}

// insert adds an account under p.mu. It returns an *apiError if the name or the sub is taken.
func (p *Pool) insert(a *account) error {
	_, name := p.users[a.name]
	_, sub := p.subs[a.sub]
	if name || sub {
		return &apiError{"UsernameExistsException", "User already exists"}
	}
	p.users[a.name] = a
	p.subs[a.sub] = a.name
	return nil
}

// find returns a user by username or, if local, by sub, as the API does; p.mu is held. A federated user is not to be
// had by sub, says the API's reference.
func (p *Pool) find(name string) (*account, bool) {
	if u, ok := p.users[name]; ok {
		return u, true
	}
	u, ok := p.users[p.subs[name]]
	return u, ok && !u.federated()
}

// User returns a user by username or sub.
func (p *Pool) User(name string) (User, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[name]
	if !ok {
		u, ok = p.users[p.subs[name]]
	}
	if !ok {
		return User{}, false
	}
	return u.user(), true
}

// Users returns every user, by username.
func (p *Pool) Users() []User {
	p.mu.Lock()
	defer p.mu.Unlock()
	var users []User
	for _, name := range slices.Sorted(maps.Keys(p.users)) {
		users = append(users, p.users[name].user())
	}
	return users
}
