package settings

import (
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// Table reads how the user table is laid out:
//
//	SSO_TABLE               table or schema.table. Defaults to users.
//	SSO_TABLE_ID            Defaults to id.
//	SSO_TABLE_ID_TYPE       bigint, int, uuid or text. Defaults to bigint.
//	SSO_TABLE_SUB           Defaults to cognito_sub.
//	SSO_TABLE_EMAIL         Defaults to email; "-" if there is none.
//	SSO_TABLE_DISPLAY_NAME  Defaults to name; "-" if there is none.
//	SSO_TABLE_LAST_LOGIN    Defaults to last_login_at; "-" if there is none.
//	SSO_TABLE_CREATED       Defaults to created_at; "-" if there is none.
//	SSO_PROVIDER_COLUMNS    Kakao=kakao_id:number,Google=google_id: the columns
//	                        with the ids at the providers, and their types,
//	                        text (if none is said) or number. Defaults to
//	                        Kakao=kakao_id,Google=google_id; "-" is none.
//	SSO_MOVED               adopt or refuse: what becomes of the row of
//	                        somebody who comes with another sub. Defaults to
//	                        adopt.
//	SSO_TABLE_MOVES         Defaults to sso_moves.
func (r *Reader) Table() table.Config {
	c := table.Config{
		Name:        r.Text("SSO_TABLE"),
		ID:          r.Text("SSO_TABLE_ID"),
		IDType:      table.IDType(strings.ToLower(r.Text("SSO_TABLE_ID_TYPE"))),
		Sub:         r.Text("SSO_TABLE_SUB"),
		Providers:   r.columns("SSO_PROVIDER_COLUMNS"),
		Email:       r.Text("SSO_TABLE_EMAIL"),
		DisplayName: r.Text("SSO_TABLE_DISPLAY_NAME"),
		LastLogin:   r.Text("SSO_TABLE_LAST_LOGIN"),
		Created:     r.Text("SSO_TABLE_CREATED"),
		Moved:       table.MovePolicy(strings.ToLower(r.Text("SSO_MOVED"))),
		Moves:       r.Text("SSO_TABLE_MOVES"),
	}
	r.Explain(c.Validate(), tableVariables)
	return c
}

var tableVariables = map[string]string{
	"Name": "SSO_TABLE", "ID": "SSO_TABLE_ID", "IDType": "SSO_TABLE_ID_TYPE", "Sub": "SSO_TABLE_SUB",
	"Providers": "SSO_PROVIDER_COLUMNS", "Email": "SSO_TABLE_EMAIL", "DisplayName": "SSO_TABLE_DISPLAY_NAME",
	"LastLogin": "SSO_TABLE_LAST_LOGIN", "Created": "SSO_TABLE_CREATED", "Moved": "SSO_MOVED", "Moves": "SSO_TABLE_MOVES",
}

// columns reads provider=column or provider=column:type, with commas.
func (r *Reader) columns(name string) map[string]table.ProviderColumn {
	items := r.List(name)
	if items == nil {
		return nil
	}
	columns := map[string]table.ProviderColumn{}
	if len(items) == 1 && items[0] == table.None {
		return columns
	}
	for _, item := range items {
		provider, column, ok := parseColumn(item)
		if _, twice := columns[provider]; !ok || twice {
			r.Failf(name, "%q is not provider=column or provider=column:type, or the provider is there twice", item)
			continue
		}
		columns[provider] = column
	}
	return columns
}

func parseColumn(item string) (provider string, column table.ProviderColumn, ok bool) {
	provider, rest, ok := strings.Cut(item, "=")
	name, kind, typed := strings.Cut(rest, ":")
	provider, name, kind = strings.TrimSpace(provider), strings.TrimSpace(name), strings.TrimSpace(kind)
	ok = ok && provider != "" && name != "" && typed == (kind != "")
	return provider, table.ProviderColumn{Name: name, Type: table.SubjectType(strings.ToLower(kind))}, ok
}
