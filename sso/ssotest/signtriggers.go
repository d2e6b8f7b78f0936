package ssotest

import "maps"

// signUpEvent is what a pre sign-up trigger is told.
type signUpEvent struct {
	source, username, clientID       string
	attributes, validation, metadata map[string]string
}

// signUpAnswer is what it may answer.
type signUpAnswer struct {
	AutoConfirm     bool `json:"autoConfirmUser"`
	AutoVerifyEmail bool `json:"autoVerifyEmail"`
	AutoVerifyPhone bool `json:"autoVerifyPhone"`
}

func (p *Pool) preSignUp(e signUpEvent) (signUpAnswer, error) {
	i := invocation{
		trigger: p.cfg.Triggers.PreSignUp, source: e.source, username: e.username, clientID: e.clientID,
		request: struct {
			UserAttributes map[string]string `json:"userAttributes"`
			ValidationData map[string]string `json:"validationData"`
			ClientMetadata map[string]string `json:"clientMetadata,omitempty"`
		}{e.attributes, e.validation, e.metadata},
		response: signUpAnswer{},
	}
	var answer signUpAnswer
	response, err := p.invoke(i)
	if err == nil {
		err = i.decodeResponse(response, &answer)
	}
	return answer, err
}

type plainRequest struct {
	UserAttributes map[string]string `json:"userAttributes"`
	ClientMetadata map[string]string `json:"clientMetadata,omitempty"`
}

func (p *Pool) postConfirmation(username, clientID string, attributes, metadata map[string]string) error {
	_, err := p.invoke(invocation{
		trigger: p.cfg.Triggers.PostConfirmation, source: "PostConfirmation_ConfirmSignUp",
		username: username, clientID: clientID,
		request: plainRequest{attributes, metadata}, response: struct{}{},
	})
	return err
}

type preAuthenticationRequest struct {
	UserAttributes map[string]string `json:"userAttributes"`
	ValidationData map[string]string `json:"validationData"`
	UserNotFound   bool              `json:"userNotFound,omitempty"`
}

// preAuthentication runs the trigger for a user; one that does not exist is told as userNotFound.
func (p *Pool) preAuthentication(username, clientID string, validation map[string]string) error {
	attributes, ok := p.triggerAttributes(username)
	if !ok {
		attributes = map[string]string{}
	}
	_, err := p.invoke(invocation{
		trigger: p.cfg.Triggers.PreAuthentication, source: "PreAuthentication_Authentication",
		username: username, clientID: clientID,
		request: preAuthenticationRequest{attributes, validation, !ok}, response: struct{}{},
	})
	return err
}

type postAuthenticationRequest struct {
	UserAttributes map[string]string `json:"userAttributes"`
	NewDeviceUsed  bool              `json:"newDeviceUsed"`
	ClientMetadata map[string]string `json:"clientMetadata,omitempty"`
}

// postAuthentication runs the trigger. What it changes of the user shows at the next sign-in, as AWS documents: the tokens
// of this one are made of the attributes from before.
func (p *Pool) postAuthentication(username, clientID string, metadata map[string]string) error {
	if p.cfg.Triggers.PostAuthentication != nil {
		p.mu.Lock()
		if u, ok := p.users[username]; ok {
			u.loaded = maps.Clone(u.attrs)
		}
		p.mu.Unlock()
	}
	attributes, ok := p.triggerAttributes(username)
	if !ok {
		return errNoUser
	}
	_, err := p.invoke(invocation{
		trigger: p.cfg.Triggers.PostAuthentication, source: "PostAuthentication_Authentication",
		username: username, clientID: clientID,
		request: postAuthenticationRequest{UserAttributes: attributes, ClientMetadata: metadata}, response: struct{}{},
	})
	return err
}

func (p *Pool) triggerAttributes(username string) (map[string]string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[username]
	if !ok {
		return nil, false
	}
	return u.forTrigger(), true
}
