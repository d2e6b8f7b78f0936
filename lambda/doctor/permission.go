package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const cognitoService = "cognito-idp.amazonaws.com"

// resourcePolicy is a policy of a function or a queue, as far as it matters.
type resourcePolicy struct {
	Statement statements
}

type statement struct {
	Effect    string
	Principal principal
	Action    texts
	Condition map[string]map[string]texts
}

// statements may be one without a list, texts one without a list, and a
// principal the text "*".
type (
	statements []statement
	texts      []string
	principal  struct {
		all     bool
		service texts
		account texts
	}
)

// UnmarshalJSON reads one or several.
func (s *statements) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		*s = make(statements, 1)
		return json.Unmarshal(text, &(*s)[0])
	}
	return json.Unmarshal(text, (*[]statement)(s))
}

// UnmarshalJSON reads one or several.
func (t *texts) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(t))
	}
	*t = make(texts, 1)
	return json.Unmarshal(text, &(*t)[0])
}

// UnmarshalJSON reads "*" or an object.
func (p *principal) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		p.all = true // "*" is the only text
		return nil
	}
	var of struct{ Service, AWS texts }
	if err := json.Unmarshal(text, &of); err != nil {
		return err
	}
	p.service, p.account = of.Service, of.AWS
	p.all = slices.Contains(of.AWS, "*") || slices.Contains(of.Service, "*")
	return nil
}

// condition returns the values of a condition key under the operators that
// compare texts, whatever the case of its letters.
func (s statement) condition(key string) (values []string, ok bool) {
	for operator, of := range s.Condition {
		switch strings.ToLower(operator) {
		case "arnlike", "arnequals", "stringequals", "stringlike", "stringequalsignorecase":
		default: // …IfExists holds without the key, so it binds nothing
			continue
		}
		for name, v := range of {
			if strings.EqualFold(name, key) {
				values, ok = append(values, v...), true
			}
		}
	}
	return values, ok
}

// lets reports whether the statement allows an action.
func (s statement) lets(action string) bool {
	return s.Effect == "Allow" && slices.ContainsFunc(s.Action, func(pattern string) bool {
		return matches(strings.ToLower(pattern), strings.ToLower(action))
	})
}

// matches compares a text with a pattern of * and ?, as IAM does.
func matches(pattern, text string) bool {
	for pattern != "" {
		if pattern[0] == '*' {
			for i := len(text); i >= 0; i-- {
				if matches(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		}
		if text == "" || pattern[0] != '?' && pattern[0] != text[0] {
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// checkPermission looks at who may call the function of a trigger.
func (r *run) checkPermission(function, policy string) {
	name := functionName(function)
	var p resourcePolicy
	if policy != "" && json.Unmarshal([]byte(policy), &p) != nil {
		r.add(PermissionMissing, name, "Its policy cannot be read.", r.permit(function))
		return
	}
	allowed, exact, withAccount := false, false, false
	for _, s := range p.Statement {
		if !s.lets("lambda:InvokeFunction") || !s.Principal.all && !slices.Contains(s.Principal.service, cognitoService) {
			continue
		}
		here, bound, account := r.binds(s)
		if wide := r.wide(s, bound); wide != "" {
			r.add(PermissionWide, name, wide, r.permit(function))
		}
		allowed, exact = allowed || here, exact || here && bound
		withAccount = withAccount || here && bound && account
	}
	switch {
	case !allowed:
		r.add(PermissionMissing, name, "No statement of its policy lets Cognito call it for this pool.", r.permit(function))
	case exact && !withAccount:
		r.add(PermissionNoAccount, name, "The statement names the pool, and no account.", r.permit(function))
	}
}

// binds reports whether a statement holds for this pool, whether it does for
// no other, and whether it names the account.
func (r *run) binds(s statement) (here, exact, withAccount bool) {
	arn := aws.ToString(r.pool.Arn)
	sources, bySource := s.condition("aws:SourceArn")
	accounts, byAccount := s.condition("aws:SourceAccount")
	here = (!bySource || slices.ContainsFunc(sources, func(p string) bool { return matches(p, arn) })) &&
		(!byAccount || slices.ContainsFunc(accounts, func(p string) bool { return matches(p, r.account()) }))
	exact = bySource && !slices.ContainsFunc(sources, func(p string) bool { return strings.ContainsAny(p, "*?") })
	return here, exact, byAccount
}

// wide says who else a statement lets in, "" for nobody. One that names another
// pool exactly is somebody's choice, and that pool's matter.
func (r *run) wide(s statement, exact bool) string {
	switch _, byAccount := s.condition("aws:SourceAccount"); {
	case exact && !s.Principal.all:
		return ""
	case s.Principal.all:
		return "A statement of its policy lets anybody call it."
	case byAccount:
		return "A statement of its policy lets every user pool of the account call it."
	}
	return "A statement of its policy lets user pools of any account call it."
}

func (r *run) permit(function string) string {
	return fmt.Sprintf("aws lambda add-permission --region %s --function-name %s --statement-id cognito-%s --action lambda:InvokeFunction --principal %s --source-arn %s --source-account %s",
		r.region(), function, strings.ReplaceAll(r.UserPoolID, "_", "-"), cognitoService, aws.ToString(r.pool.Arn), r.account())
}
