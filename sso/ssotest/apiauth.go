package ssotest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// The sources of the PreTokenGeneration trigger in the API. GetTokensFromRefreshToken has the one of a sign-in.
const (
	sourceAuthentication = "TokenGeneration_Authentication"
	sourceNewPassword    = "TokenGeneration_NewPasswordChallenge"
	sourceRefresh        = "TokenGeneration_RefreshTokens"
)

// challengeLife is AuthSessionValidity.
const challengeLife = 3 * time.Minute

const newPasswordRequired = "NEW_PASSWORD_REQUIRED"

// challenge is a sign-in that waits for a new password.
type challenge struct {
	clientID, username string
	expires            time.Time
}

// apiClient returns an app client.
func (p *Pool) apiClient(id string) (Client, error) {
	c, ok := p.client(id)
	if !ok {
		return c, &apiError{"ResourceNotFoundException", "User pool client " + id + " does not exist."}
	}
	return c, nil
}

// secretClient returns an app client whose secret hash of one of the names is right. One without a secret takes none.
func (p *Pool) secretClient(id, hash string, usernames ...string) (Client, error) {
	c, err := p.apiClient(id)
	if err != nil {
		return c, err
	}
	switch {
	case c.ClientSecret == "" && hash == "":
		return c, nil
	case c.ClientSecret != "" && hash == "":
		return c, notAuthorized("Client " + id + " is configured with secret but SECRET_HASH was not received")
	case c.ClientSecret != "":
		for _, name := range usernames {
			if subtle.ConstantTimeCompare([]byte(hash), []byte(secretHash(c, name))) == 1 {
				return c, nil
			}
		}
	}
	return c, notAuthorized("Unable to verify secret hash for client " + id)
}

// secretHash is what a client with a secret sends along.
func secretHash(c Client, username string) string {
	mac := hmac.New(sha256.New, []byte(c.ClientSecret))
	mac.Write([]byte(username + c.ClientID))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

type initiateAuthInput struct {
	AuthFlow       string `api:"required"`
	ClientID       string `json:"ClientId" api:"required"`
	AuthParameters map[string]string
	ClientMetadata map[string]string
}

type adminInitiateAuthInput struct {
	poolRef
	initiateAuthInput
}

type authOutput struct {
	AuthenticationResult *authResult       `json:",omitempty"`
	ChallengeName        string            `json:",omitempty"`
	ChallengeParameters  map[string]string `json:",omitempty"`
	Session              string            `json:",omitempty"`
}

type authResult struct {
	AccessToken  string
	ExpiresIn    int
	TokenType    string
	RefreshToken string `json:",omitempty"`
	IDToken      string `json:"IdToken"`
}

func (t tokens) api() authOutput {
	return authOutput{AuthenticationResult: &authResult{
		AccessToken: t.access, IDToken: t.id, RefreshToken: t.refresh, TokenType: "Bearer",
		ExpiresIn: int(t.expiresIn / time.Second),
	}}
}

func adminInitiateAuth(_ context.Context, p *Pool, in adminInitiateAuthInput) (authOutput, error) {
	switch in.AuthFlow {
	case "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH":
		return p.passwordAuth(in.initiateAuthInput, "ALLOW_ADMIN_USER_PASSWORD_AUTH",
			notAuthorized("Auth flow not enabled for this client"))
	case "USER_PASSWORD_AUTH":
		return authOutput{}, invalidParameter("Initiate Auth method not supported.")
	}
	return p.otherAuth(in.initiateAuthInput)
}

func initiateAuth(_ context.Context, p *Pool, in initiateAuthInput) (authOutput, error) {
	switch in.AuthFlow {
	case "USER_PASSWORD_AUTH":
		return p.passwordAuth(in, "ALLOW_USER_PASSWORD_AUTH",
			invalidParameter("USER_PASSWORD_AUTH flow not enabled for this client"))
	case "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH":
		return authOutput{}, invalidParameter("Initiate Auth method not supported.")
	}
	return p.otherAuth(in)
}

// otherAuth is what both operations have in common: refreshing, and flows the fake does not know.
func (p *Pool) otherAuth(in initiateAuthInput) (authOutput, error) {
	switch in.AuthFlow {
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return p.refreshAuth(in)
	case "USER_SRP_AUTH", "CUSTOM_AUTH", "USER_AUTH":
		return authOutput{}, invalidParameter("The fake pool does not know the flow %s", in.AuthFlow)
	}
	return authOutput{}, invalidParameter("1 validation error detected: Value at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set")
}

func (p *Pool) passwordAuth(in initiateAuthInput, flow string, notAllowed error) (authOutput, error) {
	username, password := in.AuthParameters["USERNAME"], in.AuthParameters["PASSWORD"]
	if username == "" {
		return authOutput{}, invalidParameter("Missing required parameter USERNAME")
	}
	if password == "" {
		return authOutput{}, invalidParameter("Missing required parameter PASSWORD")
	}
	c, err := p.secretClient(in.ClientID, in.AuthParameters["SECRET_HASH"], username)
	if err != nil {
		return authOutput{}, err
	}
	if !slices.Contains(c.ExplicitAuthFlows, flow) {
		return authOutput{}, notAllowed
	}
	name, mustChange, err := p.checkPassword(c, username, password, in.ClientMetadata)
	if errors.Is(err, errNoUser) && c.PreventUserExistenceErrors {
		err = errWrongPassword
	}
	if err != nil {
		return authOutput{}, err
	}
	if mustChange {
		return p.challengeNewPassword(c, name)
	}
	return p.finishAuth(c, name, sourceAuthentication, nil)
}

// finishAuth runs PostAuthentication and gives out tokens. They have the scope of the API only.
func (p *Pool) finishAuth(c Client, name, source string, metadata map[string]string) (authOutput, error) {
	if err := p.signedIn(name, c, metadata); err != nil {
		return authOutput{}, err
	}
	t, err := p.issueWith(grant{
		clientID: c.ClientID, username: name, scopes: []string{adminScope}, authTime: p.now(), api: true,
	}, source, metadata)
	if err != nil {
		return authOutput{}, err
	}
	return t.api(), nil
}

func (p *Pool) challengeNewPassword(c Client, name string) (authOutput, error) {
	session := rand.Text() + rand.Text() + rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[name]
	if !ok {
		return authOutput{}, errNoUser
	}
	p.challenges[session] = challenge{c.ClientID, name, p.nowLocked().Add(challengeLife)}
	attributes, err := json.Marshal(u.attrs)
	if err != nil {
		return authOutput{}, err
	}
	return authOutput{
		ChallengeName: newPasswordRequired,
		Session:       session,
		ChallengeParameters: map[string]string{
			"USER_ID_FOR_SRP": name, "requiredAttributes": "[]", "userAttributes": string(attributes),
		},
	}, nil
}

type respondInput struct {
	ChallengeName      string `api:"required"`
	ClientID           string `json:"ClientId" api:"required"`
	ChallengeResponses map[string]string
	ClientMetadata     map[string]string
	Session            string
}

type adminRespondInput struct {
	poolRef
	respondInput
}

func adminRespondToAuthChallenge(ctx context.Context, p *Pool, in adminRespondInput) (authOutput, error) {
	return respondToAuthChallenge(ctx, p, in.respondInput)
}

// respondToAuthChallenge takes a new password, and attributes as userAttributes.<name>.
func respondToAuthChallenge(_ context.Context, p *Pool, in respondInput) (authOutput, error) {
	if in.ChallengeName != newPasswordRequired {
		return authOutput{}, invalidParameter("The fake pool does not know the challenge %s", in.ChallengeName)
	}
	username, password := in.ChallengeResponses["USERNAME"], in.ChallengeResponses["NEW_PASSWORD"]
	c, err := p.secretClient(in.ClientID, in.ChallengeResponses["SECRET_HASH"], username)
	if err != nil {
		return authOutput{}, err
	}
	if err := checkPolicy(password); err != nil {
		return authOutput{}, err
	}
	ch := make(change)
	for name, value := range in.ChallengeResponses {
		if attribute, ok := strings.CutPrefix(name, "userAttributes."); ok {
			ch[attribute] = value
		}
	}
	if err := c.checkWrites(ch); err != nil {
		return authOutput{}, err
	}
	name, err := p.takeChallenge(in.Session, c.ClientID, username, password, ch)
	if err != nil {
		return authOutput{}, err
	}
	return p.finishAuth(c, name, sourceNewPassword, in.ClientMetadata)
}

// takeChallenge ends a challenge: it sets the password and changes the attributes.
func (p *Pool) takeChallenge(session, clientID, username, password string, ch change) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, ok := p.challenges[session]
	u, found := p.find(username)
	if !ok || !found || waiting.clientID != clientID || waiting.username != u.name || !p.nowLocked().Before(waiting.expires) {
		return "", notAuthorized("Invalid session for the user.")
	}
	if u.disabled {
		return "", errDisabled
	}
	if err := p.changeUser(u, ch); err != nil {
		return "", err
	}
	delete(p.challenges, session)
	u.setPassword(password)
	u.status = statusConfirmed
	return u.name, nil
}

// refreshAuth is REFRESH_TOKEN_AUTH. A client whose refresh tokens rotate cannot use it.
func (p *Pool) refreshAuth(in initiateAuthInput) (authOutput, error) {
	token := in.AuthParameters["REFRESH_TOKEN"]
	if token == "" {
		return authOutput{}, invalidParameter("Missing required parameter REFRESH_TOKEN")
	}
	c, err := p.secretClient(in.ClientID, in.AuthParameters["SECRET_HASH"], p.namesOf(token)...)
	if err != nil {
		return authOutput{}, err
	}
	if c.RefreshTokenRotation || !slices.Contains(c.ExplicitAuthFlows, refreshFlow) {
		return authOutput{}, invalidParameter("%s flow not enabled for this client", in.AuthFlow)
	}
	t, err := p.refreshWith(c, token, sourceRefresh, in.ClientMetadata)
	if err != nil {
		return authOutput{}, err
	}
	return t.api(), nil
}

// namesOf are the names that the secret hash of a refresh may be about: the username or the sub.
func (p *Pool) namesOf(refreshToken string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.sessions.tokens[refreshToken]
	if !ok {
		return nil
	}
	return []string{r.grant.username, r.sub}
}

type getTokensInput struct {
	RefreshToken   string `api:"required"`
	ClientID       string `json:"ClientId" api:"required"`
	ClientSecret   string
	ClientMetadata map[string]string
}

func getTokensFromRefreshToken(_ context.Context, p *Pool, in getTokensInput) (authOutput, error) {
	c, err := p.plainSecretClient(in.ClientID, in.ClientSecret)
	if err != nil {
		return authOutput{}, err
	}
	t, err := p.refreshWith(c, in.RefreshToken, sourceAuthentication, in.ClientMetadata)
	if err != nil {
		return authOutput{}, err
	}
	return t.api(), nil
}

// plainSecretClient returns an app client whose secret is right.
func (p *Pool) plainSecretClient(id, secret string) (Client, error) {
	c, err := p.apiClient(id)
	if err == nil && subtle.ConstantTimeCompare([]byte(c.ClientSecret), []byte(secret)) != 1 {
		err = notAuthorized("Unable to verify the client secret of client " + id)
	}
	return c, err
}

type revokeTokenInput struct {
	Token        string `api:"required"`
	ClientID     string `json:"ClientId" api:"required"`
	ClientSecret string
}

func revokeToken(_ context.Context, p *Pool, in revokeTokenInput) (empty, error) {
	c, err := p.plainSecretClient(in.ClientID, in.ClientSecret)
	if err != nil {
		return empty{}, &apiError{"UnauthorizedException", err.Error()}
	}
	if c.DisableTokenRevocation {
		return empty{}, &apiError{"UnsupportedOperationException", "Token revocation is not enabled for this client"}
	}
	err = p.revoke(c, in.Token)
	if errors.Is(err, errRevokeUnsupported) {
		err = &apiError{"UnsupportedTokenTypeException", "Unsupported token type"}
	}
	return empty{}, err
}
