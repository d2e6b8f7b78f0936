package ssotest

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// noClient is callerContext.clientId of operations without an app client.
const noClient = "CLIENT_ID_NOT_APPLICABLE"

// maxWrongCodes is how many wrong confirmation codes are answered as such.
const maxWrongCodes = 5

// passwordRules are AWS's default policy: 8 characters, one of each kind.
var passwordRules = []struct {
	lacks string
	has   func(rune) bool
}{
	{"lowercase", unicode.IsLower},
	{"uppercase", unicode.IsUpper},
	{"numeric", unicode.IsDigit},
	{"symbol", func(r rune) bool { return strings.ContainsRune("^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ", r) }},
}

func checkPolicy(password string) error {
	const refused = "Password did not conform with policy: "
	if n := utf8.RuneCountInString(password); n < 8 || n > 256 {
		return &apiError{"InvalidPasswordException", refused + "Password not long enough"}
	}
	for _, rule := range passwordRules {
		if !strings.ContainsFunc(password, rule.has) {
			return &apiError{"InvalidPasswordException", refused + "Password must have " + rule.lacks + " characters"}
		}
	}
	return nil
}

func checkUsername(name string) error {
	if name == "" || utf8.RuneCountInString(name) > 128 || strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
	}) {
		return invalidParameter("1 validation error detected: Value at 'username' failed to satisfy constraint: 1 to 128 characters without a blank")
	}
	return nil
}

// validationMap is ValidationData as triggers see it; nil if there is none.
func validationMap(list []apiAttribute) map[string]string {
	if list == nil {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Name] = a.Value
	}
	return m
}

type signUpInput struct {
	ClientID       string `json:"ClientId" api:"required"`
	Username       string `api:"required"`
	Password       string
	SecretHash     string
	UserAttributes []apiAttribute
	ValidationData []apiAttribute
	ClientMetadata map[string]string
}

type signUpOutput struct {
	UserConfirmed bool
	UserSub       string
}

// signUp makes a user who must confirm the sign-up, unless the trigger confirms it. Pool.ConfirmationCode has the code.
func signUp(_ context.Context, p *Pool, in signUpInput) (signUpOutput, error) {
	c, err := p.secretClient(in.ClientID, in.SecretHash, in.Username)
	if err != nil {
		return signUpOutput{}, err
	}
	if p.cfg.AdminCreateUserOnly {
		return signUpOutput{}, notAuthorized("SignUp is not permitted for this user pool")
	}
	ch, err := changeOf(in.UserAttributes)
	if err != nil {
		return signUpOutput{}, err
	}
	for _, check := range []func() error{
		func() error { return checkUsername(in.Username) },
		func() error { return checkPolicy(in.Password) },
		func() error { return c.checkWrites(ch) },
		func() error { return p.schema.check(nil, ch) },
		func() error { return p.checkFree(in.Username) },
	} {
		if err := check(); err != nil {
			return signUpOutput{}, err
		}
	}
	answer, err := p.preSignUp(signUpEvent{
		source: "PreSignUp_SignUp", username: in.Username, clientID: c.ClientID, attributes: withoutBlank(ch),
		validation: validationMap(in.ValidationData), metadata: in.ClientMetadata,
	})
	if err != nil {
		return signUpOutput{}, err
	}
	u := p.newAccount(in.Username, statusUnconfirmed, ch)
	u.setPassword(in.Password)
	u.code = newCode()
	if err := u.applySignUp(answer); err != nil {
		return signUpOutput{}, err
	}
	p.mu.Lock()
	err = p.insert(u)
	attributes := u.forTrigger()
	p.mu.Unlock()
	if err != nil {
		return signUpOutput{}, err
	}
	out := signUpOutput{UserConfirmed: answer.AutoConfirm, UserSub: u.sub}
	if answer.AutoConfirm {
		return out, p.postConfirmation(u.name, c.ClientID, attributes, in.ClientMetadata)
	}
	return out, nil
}

// checkFree refuses a username that is taken.
func (p *Pool) checkFree(username string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.users[username]; taken {
		return &apiError{"UsernameExistsException", "User already exists"}
	}
	return nil
}

// withoutBlank are the attributes that a change of nobody's leaves.
func withoutBlank(ch change) map[string]string {
	attrs := map[string]string(maps.Clone(ch))
	maps.DeleteFunc(attrs, func(_, value string) bool { return value == "" })
	return attrs
}

func (p *Pool) newAccount(name, status string, ch change) *account {
	now := p.now()
	return &account{name: name, sub: newSub(), attrs: withoutBlank(ch), status: status, created: now, modified: now}
}

// applySignUp does what the pre sign-up trigger asked for.
func (u *account) applySignUp(answer signUpAnswer) error {
	if answer.AutoConfirm {
		u.status, u.code = statusConfirmed, ""
	}
	for _, verify := range []struct {
		asked      bool
		about, set string
	}{{answer.AutoVerifyEmail, "email", "email_verified"}, {answer.AutoVerifyPhone, "phone_number", "phone_number_verified"}} {
		switch {
		case !verify.asked:
		case u.attrs[verify.about] == "":
			return invalidParameter("Attempted to auto verify the attribute %s without a value.", verify.about)
		default:
			u.attrs[verify.set] = "true"
		}
	}
	return nil
}

func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%06d", n)
}

// ConfirmationCode returns the code that Cognito would have sent to a user who signed up, "" if none is pending. The
// name is a username or sub.
func (p *Pool) ConfirmationCode(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.find(name)
	if !ok {
		return ""
	}
	return u.code
}

type confirmSignUpInput struct {
	ClientID         string `json:"ClientId" api:"required"`
	Username         string `api:"required"`
	ConfirmationCode string `api:"required"`
	SecretHash       string
	ClientMetadata   map[string]string
}

func confirmSignUp(_ context.Context, p *Pool, in confirmSignUpInput) (empty, error) {
	c, err := p.secretClient(in.ClientID, in.SecretHash, in.Username)
	if err != nil {
		return empty{}, err
	}
	err = p.confirm(in.Username, c.ClientID, in.ClientMetadata, func(u *account) error {
		if u.wrongCodes >= maxWrongCodes {
			return &apiError{"TooManyFailedAttemptsException", "Too many failed attempts"}
		}
		if subtle.ConstantTimeCompare([]byte(u.code), []byte(in.ConfirmationCode)) != 1 {
			u.wrongCodes++
			return &apiError{"CodeMismatchException", "Invalid verification code provided, please try again."}
		}
		if u.attrs["email"] != "" {
			u.attrs["email_verified"] = "true"
		}
		return nil
	})
	if c.PreventUserExistenceErrors && errors.Is(err, errNoUser) { // the text is the one of a wrong code
		return empty{}, &apiError{"CodeMismatchException", "Invalid verification code provided, please try again."}
	}
	return empty{}, err
}

type adminConfirmSignUpInput struct {
	userRef
	ClientMetadata map[string]string
}

func adminConfirmSignUp(_ context.Context, p *Pool, in adminConfirmSignUpInput) (empty, error) {
	return empty{}, p.confirm(in.Username, noClient, in.ClientMetadata, func(*account) error { return nil })
}

// confirm confirms a sign-up that check lets pass. The user stays confirmed if the trigger fails.
func (p *Pool) confirm(username, clientID string, metadata map[string]string, check func(*account) error) error {
	var name string
	var attributes map[string]string
	if err := p.withUser(username, func(u *account) error {
		if u.status != statusUnconfirmed {
			return notAuthorized("User cannot be confirmed. Current status is " + u.status)
		}
		if err := check(u); err != nil {
			return err
		}
		u.status, u.code, u.modified = statusConfirmed, "", p.nowLocked()
		name, attributes = u.name, u.forTrigger()
		return nil
	}); err != nil {
		return err
	}
	return p.postConfirmation(name, clientID, attributes, metadata)
}

type adminCreateUserInput struct {
	userRef
	UserAttributes    []apiAttribute
	TemporaryPassword string
	MessageAction     string
	ValidationData    []apiAttribute
	ClientMetadata    map[string]string
}

type adminCreateUserOutput struct{ User apiUser }

// adminCreateUser makes a user with a temporary password. PostConfirmation never runs for it.
func adminCreateUser(_ context.Context, p *Pool, in adminCreateUserInput) (adminCreateUserOutput, error) {
	if in.MessageAction == "RESEND" {
		return resendInvitation(p, in.Username)
	}
	ch, err := changeOf(in.UserAttributes)
	if err != nil {
		return adminCreateUserOutput{}, err
	}
	password := in.TemporaryPassword
	if password == "" {
		password = "aA1!" + rand.Text()
	}
	for _, check := range []func() error{
		func() error { return checkUsername(in.Username) },
		func() error { return checkPolicy(password) },
		func() error { return p.schema.check(nil, ch) },
		func() error { return p.checkFree(in.Username) },
	} {
		if err := check(); err != nil {
			return adminCreateUserOutput{}, err
		}
	}
	if _, err := p.preSignUp(signUpEvent{ // its answer is ignored
		source: "PreSignUp_AdminCreateUser", username: in.Username, clientID: noClient, attributes: withoutBlank(ch),
		validation: validationMap(in.ValidationData), metadata: in.ClientMetadata,
	}); err != nil {
		return adminCreateUserOutput{}, err
	}
	u := p.newAccount(in.Username, statusForceChange, ch)
	u.setPassword(password)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.insert(u); err != nil {
		return adminCreateUserOutput{}, err
	}
	return adminCreateUserOutput{u.api()}, nil
}

// resendInvitation sends nothing, as the pool sends no messages; it checks what Cognito does.
func resendInvitation(p *Pool, username string) (out adminCreateUserOutput, err error) {
	err = p.withUser(username, func(u *account) error {
		if u.status != statusForceChange {
			return &apiError{"UnsupportedUserStateException", "Resend not possible. " + u.status + " is the current status"}
		}
		out.User = u.api()
		return nil
	})
	return out, err
}

type setPasswordInput struct {
	userRef
	Password  string `api:"required"`
	Permanent bool
}

// adminSetUserPassword sets a password. A permanent one confirms the user, even one of an identity provider.
func adminSetUserPassword(_ context.Context, p *Pool, in setPasswordInput) (empty, error) {
	if err := checkPolicy(in.Password); err != nil {
		return empty{}, err
	}
	return empty{}, p.withUser(in.Username, func(u *account) error {
		u.setPassword(in.Password)
		u.status, u.modified = statusForceChange, p.nowLocked()
		if in.Permanent {
			u.status = statusConfirmed
		}
		return nil
	})
}
