package ssotest

import (
	"encoding/json"
	"strings"
)

// described gives the answer of an operation that shows configuration to Config.OnDescribe.
func (p *Pool) described(name string, out any) (any, error) {
	if p.cfg.OnDescribe == nil || !showsConfiguration(name) {
		return out, nil
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	p.cfg.OnDescribe(name, answer)
	return answer, nil
}

// showsConfiguration reports whether an operation shows what somebody has set up, and not users.
func showsConfiguration(name string) bool {
	switch name {
	case "ListUserPoolClients", "ListIdentityProviders", "GetFunctionConfiguration", "GetPolicy", "ListEventSourceMappings":
		return true
	}
	return strings.HasPrefix(name, "Describe")
}
