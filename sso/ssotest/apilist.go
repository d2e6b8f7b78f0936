package ssotest

import (
	"context"
	"encoding/base64"
	"errors"
	"hash/fnv"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/userfilter"
)

const maxPage = 60

type listUsersInput struct {
	poolRef
	AttributesToGet []string
	Limit           *int
	PaginationToken string
	Filter          string
}

type listUsersOutput struct {
	Users           []apiUser
	PaginationToken string `json:",omitempty"`
}

// listUsers lists users in order of their names.
func listUsers(_ context.Context, p *Pool, in listUsersInput) (listUsersOutput, error) {
	filter, err := userfilter.Parse(in.Filter)
	switch {
	case errors.Is(err, userfilter.ErrTooLong):
		return listUsersOutput{}, invalidParameter("1 validation error detected: Value at 'filter' failed to satisfy constraint: Member must have length less than or equal to 256")
	case errors.Is(err, userfilter.ErrAttribute):
		return listUsersOutput{}, invalidParameter("Invalid search attribute in the filter")
	case err != nil:
		return listUsersOutput{}, invalidParameter("Error while parsing filter.")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for name, u := range p.users {
		if filter.Match(u.searchable(filter.Attribute)) {
			names = append(names, name)
		}
	}
	page := pageRequest{in.Limit, "limit", in.PaginationToken, in.Filter + "\n" + strings.Join(in.AttributesToGet, "\n")}
	names, next, err := page.of(names)
	if err != nil {
		return listUsersOutput{}, err
	}
	out := listUsersOutput{Users: []apiUser{}, PaginationToken: next}
	for _, name := range names {
		user := p.users[name].api()
		if in.AttributesToGet != nil {
			if user.Attributes, err = pick(user.Attributes, in.AttributesToGet); err != nil {
				return listUsersOutput{}, err
			}
		}
		out.Users = append(out.Users, user)
	}
	return out, nil
}

// pick returns the attributes of the given names. The API refuses it if the user lacks one of them.
func pick(attributes []apiAttribute, names []string) ([]apiAttribute, error) {
	picked := []apiAttribute{}
	for _, name := range names {
		i := slices.IndexFunc(attributes, func(a apiAttribute) bool { return a.Name == name })
		if i < 0 {
			return nil, invalidParameter("One or more requested attributes do not exist.")
		}
		picked = append(picked, attributes[i])
	}
	return picked, nil
}

// searchable is what a filter compares.
func (u *account) searchable(name string) string {
	switch name {
	case "username":
		return u.name
	case "cognito:user_status":
		return u.status
	case "status":
		if u.disabled {
			return "Disabled"
		}
		return "Enabled"
	case "sub":
		return u.sub
	default:
		return u.attrs[name]
	}
}

// pageRequest is a page of a list of names.
type pageRequest struct {
	limit *int
	field string // its name in errors
	token string
	query string // what else the request says: a token is good for the same request only
}

// of returns the page and the token of the next one, "" after the last.
func (r pageRequest) of(names []string) (page []string, next string, err error) {
	limit := maxPage
	if r.limit != nil {
		limit = *r.limit
	}
	switch {
	case limit < 0:
		return nil, "", invalidParameter("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to 0", limit, r.field)
	case limit > maxPage:
		return nil, "", invalidParameter("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to 60", limit, r.field)
	case limit == 0:
		limit = maxPage
	}
	slices.Sort(names)
	if r.token != "" {
		after, ok := r.decode()
		if !ok {
			return nil, "", invalidParameter("Invalid pagination token")
		}
		names = names[sort.Search(len(names), func(i int) bool { return names[i] > after }):]
	}
	if len(names) <= limit {
		return names, "", nil
	}
	return names[:limit], r.encode(names[limit-1]), nil
}

// sum tells one request from another.
func (r pageRequest) sum() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.query))
	return strconv.FormatUint(h.Sum64(), 36)
}

func (r pageRequest) encode(after string) string {
	return base64.StdEncoding.EncodeToString([]byte(r.sum() + " " + after))
}

func (r pageRequest) decode() (after string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(r.token)
	sum, after, found := strings.Cut(string(text), " ")
	return after, err == nil && found && sum == r.sum()
}
