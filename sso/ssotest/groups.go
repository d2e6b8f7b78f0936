package ssotest

import (
	"slices"
	"time"
)

// group is a group of the pool.
type group struct {
	name, description, roleARN string
	precedence                 *int
	created, modified          time.Time
}

// providerGroup is the group that Cognito puts the users of an identity provider in.
func (p *Pool) providerGroup(provider string) string { return p.cfg.ID + "_" + provider }

// makeGroup makes a group unless it is there; p.mu is held, or the pool not yet shared.
func (p *Pool) makeGroup(name, description string) {
	if _, ok := p.groups[name]; !ok {
		now := p.nowLocked()
		p.groups[name] = &group{name: name, description: description, created: now, modified: now}
	}
}

// join puts a user in a group; p.mu is held.
func (p *Pool) join(u *account, name string) {
	if !slices.Contains(u.groups, name) {
		u.groups = append(u.groups, name)
	}
}

// roles are the role ARNs of a user's groups, and the one of the group with the lowest precedence; p.mu is held.
func (p *Pool) roles(u *account) (all []string, preferred string) {
	best, tied := -1, false
	for _, name := range u.groups {
		g := p.groups[name]
		if g == nil || g.roleARN == "" {
			continue
		}
		if !slices.Contains(all, g.roleARN) {
			all = append(all, g.roleARN)
		}
		if g.precedence == nil {
			continue
		}
		switch {
		case best < 0 || *g.precedence < best:
			best, tied, preferred = *g.precedence, false, g.roleARN
		case *g.precedence == best && g.roleARN != preferred:
			tied = true
		}
	}
	if tied { // two roles of the same precedence: Cognito prefers none
		preferred = ""
	}
	return all, preferred
}
