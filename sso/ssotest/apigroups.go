package ssotest

import (
	"context"
	"maps"
	"slices"
	"strings"
)

type apiGroup struct {
	GroupName        string
	UserPoolID       string `json:"UserPoolId"`
	Description      string `json:",omitempty"`
	RoleArn          string `json:",omitempty"`
	Precedence       *int   `json:",omitempty"`
	CreationDate     apiTime
	LastModifiedDate apiTime
}

func (p *Pool) apiGroup(g *group) apiGroup {
	return apiGroup{g.name, p.cfg.ID, g.description, g.roleARN, g.precedence, apiTime(g.created), apiTime(g.modified)}
}

type groupRef struct {
	poolRef
	GroupName string `api:"required"`
}

// withGroup runs f on the group under the lock.
func (p *Pool) withGroup(name string, f func(g *group) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.groups[name]
	if !ok {
		return &apiError{"ResourceNotFoundException", "Group not found."}
	}
	return f(g)
}

type groupOutput struct{ Group apiGroup }

func getGroup(_ context.Context, p *Pool, in groupRef) (out groupOutput, err error) {
	err = p.withGroup(in.GroupName, func(g *group) error {
		out.Group = p.apiGroup(g)
		return nil
	})
	return out, err
}

type createGroupInput struct {
	groupRef
	Description string
	RoleArn     string
	Precedence  *int
}

func createGroup(_ context.Context, p *Pool, in createGroupInput) (groupOutput, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.groups[in.GroupName]; ok {
		return groupOutput{}, &apiError{"GroupExistsException", "A group with the name already exists."}
	}
	if len(in.GroupName) > 128 || strings.ContainsFunc(in.GroupName, func(r rune) bool { return r <= ' ' }) {
		return groupOutput{}, invalidParameter("1 validation error detected: Value at 'groupName' failed to satisfy constraint: 1 to 128 characters without a blank")
	}
	if in.Precedence != nil && *in.Precedence < 0 {
		return groupOutput{}, invalidParameter("1 validation error detected: Value at 'precedence' failed to satisfy constraint: Member must have value greater than or equal to 0")
	}
	p.makeGroup(in.GroupName, in.Description)
	g := p.groups[in.GroupName]
	g.roleARN, g.precedence = in.RoleArn, in.Precedence
	return groupOutput{p.apiGroup(g)}, nil
}

func deleteGroup(_ context.Context, p *Pool, in groupRef) (nothing, error) {
	return nothing{}, p.withGroup(in.GroupName, func(g *group) error {
		delete(p.groups, g.name)
		for _, u := range p.users {
			u.leave(g.name)
		}
		return nil
	})
}

func (u *account) leave(name string) {
	u.groups = slices.DeleteFunc(u.groups, func(g string) bool { return g == name })
}

type listGroupsInput struct {
	poolRef
	Limit     *int
	NextToken string
}

type listGroupsOutput struct {
	Groups    []apiGroup
	NextToken string `json:",omitempty"`
}

func listGroups(_ context.Context, p *Pool, in listGroupsInput) (listGroupsOutput, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pageOfGroups(slices.Collect(maps.Keys(p.groups)), pageRequest{in.Limit, "limit", in.NextToken, "groups"})
}

func (p *Pool) pageOfGroups(names []string, page pageRequest) (listGroupsOutput, error) {
	names, next, err := page.of(names)
	if err != nil {
		return listGroupsOutput{}, err
	}
	out := listGroupsOutput{Groups: []apiGroup{}, NextToken: next}
	for _, name := range names {
		if g := p.groups[name]; g != nil {
			out.Groups = append(out.Groups, p.apiGroup(g))
		}
	}
	return out, nil
}

type listGroupsForUserInput struct {
	userRef
	Limit     *int
	NextToken string
}

func adminListGroupsForUser(_ context.Context, p *Pool, in listGroupsForUserInput) (out listGroupsOutput, err error) {
	err = p.withUser(in.Username, func(u *account) error {
		out, err = p.pageOfGroups(slices.Clone(u.groups), pageRequest{in.Limit, "limit", in.NextToken, u.name})
		return err
	})
	return out, err
}

type membershipInput struct {
	userRef
	GroupName string `api:"required"`
}

func adminAddUserToGroup(_ context.Context, p *Pool, in membershipInput) (nothing, error) {
	return nothing{}, p.withMember(in, func(u *account, g *group) { p.join(u, g.name) })
}

func adminRemoveUserFromGroup(_ context.Context, p *Pool, in membershipInput) (nothing, error) {
	return nothing{}, p.withMember(in, func(u *account, g *group) { u.leave(g.name) })
}

func (p *Pool) withMember(in membershipInput, f func(*account, *group)) error {
	return p.withGroup(in.GroupName, func(g *group) error {
		u, ok := p.find(in.Username)
		if !ok {
			return errNoUser
		}
		f(u, g)
		return nil
	})
}

type listUsersInGroupInput struct {
	groupRef
	Limit     *int
	NextToken string
}

type listUsersInGroupOutput struct {
	Users     []apiUser
	NextToken string `json:",omitempty"`
}

func listUsersInGroup(_ context.Context, p *Pool, in listUsersInGroupInput) (out listUsersInGroupOutput, err error) {
	err = p.withGroup(in.GroupName, func(g *group) error {
		var names []string
		for name, u := range p.users {
			if slices.Contains(u.groups, g.name) {
				names = append(names, name)
			}
		}
		names, out.NextToken, err = pageRequest{in.Limit, "limit", in.NextToken, g.name}.of(names)
		if err != nil {
			return err
		}
		out.Users = []apiUser{}
		for _, name := range names {
			out.Users = append(out.Users, p.users[name].api())
		}
		return nil
	})
	return out, err
}
