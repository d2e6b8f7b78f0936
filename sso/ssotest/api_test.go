package ssotest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// sdk is AWS's own client of the pool's API.
func sdk(p *ssotest.Pool) *cip.Client {
	return cip.New(cip.Options{
		Region:       "ap-northeast-2",
		BaseEndpoint: aws.String(p.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
		}),
		RetryMaxAttempts: 1,
		HTTPClient:       awshttp.NewClient(),
	})
}

// wantCode compares the exception of an SDK error, and its text unless that is "".
func wantCode(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || (text != "" && api.ErrorMessage() != text) {
		t.Errorf("%s: %v; want %s %q", what, err, code, text)
	}
}

func attributesOf(list []types.AttributeType) map[string]string {
	m := make(map[string]string)
	for _, a := range list {
		m[*a.Name] = *a.Value
	}
	return m
}

func attribute(name, value string) types.AttributeType {
	return types.AttributeType{Name: &name, Value: &value}
}

func addUser(t *testing.T, p *ssotest.Pool, u ssotest.User) ssotest.User {
	t.Helper()
	u, err := p.AddUser(u)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const password = "Passw0rd!"

// nativeTokens signs a user in with a password.
func nativeTokens(t *testing.T, p *ssotest.Pool, client, username string) *types.AuthenticationResultType {
	t.Helper()
	out, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: &client,
		AuthParameters: map[string]string{"USERNAME": username, "PASSWORD": password},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.AuthenticationResult
}

func TestAdminGetAndUpdateUser(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{CustomAttributes: []ssotest.CustomAttribute{
		{Name: "userId", Mutable: true, MaxLen: 20}, {Name: "fixed"},
	}})
	u := addUser(t, p, ssotest.User{Username: "u", Created: time.UnixMilli(1_700_000_000_250), Attributes: map[string]string{
		"email": "a@b.kr", "email_verified": "true", "custom:fixed": "1",
	}})
	c := sdk(p)
	id := aws.String(p.ID())
	get := func(name string) *cip.AdminGetUserOutput {
		t.Helper()
		out, err := c.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: id, Username: &name})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := get("u")
	if *out.Username != "u" || !out.Enabled || out.UserStatus != types.UserStatusTypeConfirmed ||
		out.UserCreateDate.UnixMilli() != 1_700_000_000_250 || attributesOf(out.UserAttributes)["sub"] != u.Sub {
		t.Errorf("%+v", out)
	}
	if *get(u.Sub).Username != "u" {
		t.Error("a local user is not to be had by sub")
	}
	update := func(name string, list ...types.AttributeType) error {
		_, err := c.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: id, Username: &name, UserAttributes: list})
		return err
	}
	for _, row := range []struct {
		name string
		list []types.AttributeType
		want map[string]string // "" is absent
	}{
		{"set", []types.AttributeType{attribute("custom:userId", "42")}, map[string]string{"custom:userId": "42", "email_verified": "true"}},
		{"the same email", []types.AttributeType{attribute("email", "a@b.kr")}, map[string]string{"email_verified": "true"}},
		{"another email resets the flag", []types.AttributeType{attribute("email", "c@d.kr")}, map[string]string{"email": "c@d.kr", "email_verified": "false"}},
		{"another email with the flag", []types.AttributeType{attribute("email", "e@f.kr"), attribute("email_verified", "true")}, map[string]string{"email_verified": "true"}},
		{"a blank value deletes", []types.AttributeType{attribute("custom:userId", "")}, map[string]string{"custom:userId": ""}},
		{"no value deletes", []types.AttributeType{{Name: aws.String("email")}}, map[string]string{"email": "", "email_verified": ""}},
		{"Korean", []types.AttributeType{attribute("name", "김수한")}, map[string]string{"name": "김수한"}},
		{"a value of the greatest length", []types.AttributeType{attribute("custom:userId", strings.Repeat("가", 20))}, nil},
	} {
		if err := update("u", row.list...); err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		got := attributesOf(get("u").UserAttributes)
		for name, want := range row.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q; want %q", row.name, name, got[name], want)
			}
		}
	}
	before := get("u")
	const invalid = "InvalidParameterException"
	for _, row := range []struct {
		name, user, attribute, value, code string
	}{
		{"nobody", "gone", "name", "x", "UserNotFoundException"},
		{"an attribute that the schema has not", "u", "custom:other", "x", invalid},
		{"an attribute without its prefix", "u", "userId", "x", invalid},
		{"sub", "u", "sub", "x", invalid},
		{"identities", "u", "identities", "[]", invalid},
		{"an immutable attribute", "u", "custom:fixed", "2", invalid},
		{"deleting an immutable attribute", "u", "custom:fixed", "", invalid},
		{"too long", "u", "custom:userId", strings.Repeat("1", 21), invalid},
		{"no email", "u", "email", "x", invalid},
		{"no phone number", "u", "phone_number", "010", invalid},
		{"no flag", "u", "email_verified", "yes", invalid},
		{"verifying what is not there", "u", "phone_number_verified", "true", invalid},
		{"a long name", "u", strings.Repeat("n", 33), "x", invalid},
	} {
		wantCode(t, row.name, update(row.user, attribute(row.attribute, row.value)), row.code, "")
	}
	wantCode(t, "half a change", update("u", attribute("name", "y"), attribute("custom:other", "x")), invalid, "")
	if after := get("u"); !slices.Equal(flat(before.UserAttributes), flat(after.UserAttributes)) {
		t.Errorf("a refused change left %v; want %v", flat(after.UserAttributes), flat(before.UserAttributes))
	}
	remove := func(names ...string) error {
		_, err := c.AdminDeleteUserAttributes(t.Context(), &cip.AdminDeleteUserAttributesInput{UserPoolId: id, Username: aws.String("u"), UserAttributeNames: names})
		return err
	}
	if err := remove("name", "custom:userId"); err != nil || attributesOf(get("u").UserAttributes)["name"] != "" {
		t.Errorf("deleting: %v", err)
	}
	wantCode(t, "deleting what the schema has not", remove("custom:other"), invalid, "")
	wantCode(t, "deleting sub", remove("sub"), invalid, "")
}

func flat(list []types.AttributeType) []string {
	var texts []string
	for _, a := range list {
		texts = append(texts, *a.Name+"="+*a.Value)
	}
	return texts
}

func TestFederatedUserIsNotToBeHadBySub(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	u := addUser(t, p, ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER"})
	_, err := sdk(p).AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(p.ID()), Username: &u.Sub})
	wantCode(t, "by sub", err, "UserNotFoundException", "User does not exist.")
	out, err := sdk(p).AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(p.ID()), Username: aws.String("Kakao_1")})
	if err != nil || out.UserStatus != types.UserStatusTypeExternalProvider || attributesOf(out.UserAttributes)["identities"] == "" {
		t.Errorf("%v: %+v", err, out)
	}
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	for i := range 70 {
		u := ssotest.User{Username: "user" + strconv.Itoa(100+i), Attributes: map[string]string{"email": strconv.Itoa(i%10) + "@b.kr"}}
		if i%2 == 0 {
			u.Attributes["custom:userId"] = strconv.Itoa(i)
		}
		u.Disabled = i == 3
		addUser(t, p, u)
	}
	addUser(t, p, ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{"name": `a"b\c`}})
	list := func(in cip.ListUsersInput) ([]types.UserType, *string, error) {
		in.UserPoolId = aws.String(p.ID())
		out, err := sdk(p).ListUsers(t.Context(), &in)
		if err != nil {
			return nil, nil, err
		}
		return out.Users, out.PaginationToken, nil
	}
	for _, row := range []struct {
		name, filter string
		want         int
	}{
		{"email", `email = "3@b.kr"`, 7},
		{"email prefix", `email ^= "3@"`, 7},
		{"username", `username = "user101"`, 1},
		{"username prefix", `username ^= "user16"`, 10},
		{"status", `cognito:user_status = "external_provider"`, 1},
		{"enabled", `status = "Disabled"`, 1},
		{"quotes", `name = "a\"b\\c"`, 1},
		{"nobody", `name = "x"`, 0},
	} {
		users, next, err := list(cip.ListUsersInput{Filter: &row.filter})
		if err != nil || len(users) != row.want || next != nil {
			t.Errorf("%s: %d users, %v; want %d", row.name, len(users), err, row.want)
		}
	}
	for _, limit := range []int32{0, 1, 7, 60} {
		var seen []string
		var token *string
		for {
			in := cip.ListUsersInput{PaginationToken: token}
			if limit > 0 {
				in.Limit = &limit
			}
			users, next, err := list(in)
			if err != nil || (limit > 0 && len(users) > int(limit)) {
				t.Fatalf("limit %d: %d users, %v", limit, len(users), err)
			}
			for _, u := range users {
				seen = append(seen, *u.Username)
			}
			if token = next; token == nil {
				break
			}
		}
		if len(seen) != 71 || len(slices.Compact(seen)) != 71 {
			t.Errorf("limit %d: %d users", limit, len(seen))
		}
	}
	// AttributesToGet is refused if one user of the page lacks one of them.
	users, _, err := list(cip.ListUsersInput{Filter: aws.String(`username = "user100"`), AttributesToGet: []string{"custom:userId", "sub"}})
	if err != nil || len(users) != 1 || len(users[0].Attributes) != 2 {
		t.Errorf("AttributesToGet: %v, %+v", err, users)
	}
	_, token, err := list(cip.ListUsersInput{Limit: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		in   cip.ListUsersInput
	}{
		{"an attribute that not all have", cip.ListUsersInput{AttributesToGet: []string{"custom:userId"}}},
		{"a limit of 61", cip.ListUsersInput{Limit: aws.Int32(61)}},
		{"a negative limit", cip.ListUsersInput{Limit: aws.Int32(-1)}},
		{"a filter of a custom attribute", cip.ListUsersInput{Filter: aws.String(`custom:userId = "1"`)}},
		{"a filter without quotes", cip.ListUsersInput{Filter: aws.String(`email = a`)}},
		{"an injected filter", cip.ListUsersInput{Filter: aws.String(`email = "a" or email ^= ""`)}},
		{"a long filter", cip.ListUsersInput{Filter: aws.String(`email = "` + strings.Repeat("a", 256) + `"`)}},
		{"a made-up token", cip.ListUsersInput{PaginationToken: aws.String("eA==")}},
		{"the token of another request", cip.ListUsersInput{PaginationToken: token, Filter: aws.String(`email ^= ""`)}},
	} {
		_, _, err := list(row.in)
		wantCode(t, row.name, err, "InvalidParameterException", "")
	}
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	var sources []string
	p := ssotest.NewPool(t, ssotest.Config{
		Triggers:  ssotest.All(ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })),
		OnTrigger: func(c ssotest.TriggerCall) { sources = append(sources, c.Source) },
	})
	c, client := sdk(p), aws.String(ssotest.DefaultClientID)
	out, err := c.SignUp(t.Context(), &cip.SignUpInput{
		ClientId: client, Username: aws.String("kim"), Password: aws.String(password),
		UserAttributes: []types.AttributeType{attribute("email", "a@b.kr")},
		ValidationData: []types.AttributeType{attribute("k", "v")}, ClientMetadata: map[string]string{"m": "1"},
	})
	if err != nil || out.UserConfirmed {
		t.Fatalf("%v: %+v", err, out)
	}
	u, _ := p.User("kim")
	if *out.UserSub != u.Sub || u.Status != "UNCONFIRMED" {
		t.Errorf("%+v", u)
	}
	signIn := func() error {
		_, err := c.InitiateAuth(t.Context(), &cip.InitiateAuthInput{
			AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: client,
			AuthParameters: map[string]string{"USERNAME": "kim", "PASSWORD": password},
		})
		return err
	}
	wantCode(t, "unconfirmed", signIn(), "UserNotConfirmedException", "User is not confirmed.")
	code := p.ConfirmationCode("kim")
	if len(code) != 6 {
		t.Fatalf("the code is %q", code)
	}
	confirm := func(code string) error {
		_, err := c.ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: client, Username: aws.String("kim"), ConfirmationCode: &code})
		return err
	}
	wantCode(t, "a wrong code", confirm("x"), "CodeMismatchException", "Invalid verification code provided, please try again.")
	if err := confirm(code); err != nil {
		t.Fatal(err)
	}
	if u, _ := p.User("kim"); u.Status != "CONFIRMED" || u.Attributes["email_verified"] != "true" {
		t.Errorf("%+v", u)
	}
	wantCode(t, "twice", confirm(code), "NotAuthorizedException", "User cannot be confirmed. Current status is CONFIRMED")
	if p.ConfirmationCode("kim") != "" || p.ConfirmationCode("gone") != "" {
		t.Error("a code is left")
	}
	if err := signIn(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PreSignUp_SignUp", "PreAuthentication_Authentication", "PostConfirmation_ConfirmSignUp",
		"PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_Authentication",
	}
	if !slices.Equal(sources, want) {
		t.Errorf("triggers %v\nwant %v", sources, want)
	}
	for _, row := range []struct {
		name, username, password, attribute, code string
	}{
		{"taken", "kim", password, "name", "UsernameExistsException"},
		{"a blank in the name", "a b", password, "name", "InvalidParameterException"},
		{"short", "n1", "Pa0!", "name", "InvalidPasswordException"},
		{"no digit", "n1", "Password!", "name", "InvalidPasswordException"},
		{"no symbol", "n1", "Passw0rdd", "name", "InvalidPasswordException"},
		{"no upper case", "n1", "passw0rd!", "name", "InvalidPasswordException"},
		{"no lower case", "n1", "PASSW0RD!", "name", "InvalidPasswordException"},
		{"an attribute the client may not write", "n1", password, "custom:userId", "NotAuthorizedException"},
		{"a verified flag", "n1", password, "email_verified", "NotAuthorizedException"},
	} {
		_, err := c.SignUp(t.Context(), &cip.SignUpInput{
			ClientId: client, Username: &row.username, Password: &row.password,
			UserAttributes: []types.AttributeType{attribute(row.attribute, "x")},
		})
		wantCode(t, row.name, err, row.code, "")
	}
	if n := len(p.Users()); n != 1 {
		t.Errorf("%d users", n)
	}
}

func TestConfirmSignUpTooOften(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	c, client := sdk(p), aws.String(ssotest.DefaultClientID)
	if _, err := c.SignUp(t.Context(), &cip.SignUpInput{ClientId: client, Username: aws.String("u"), Password: aws.String(password)}); err != nil {
		t.Fatal(err)
	}
	confirm := func(code string) error {
		_, err := c.ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: client, Username: aws.String("u"), ConfirmationCode: &code})
		return err
	}
	for range 5 {
		wantCode(t, "wrong", confirm("x"), "CodeMismatchException", "")
	}
	wantCode(t, "the right one too late", confirm(p.ConfirmationCode("u")), "TooManyFailedAttemptsException", "")
	quiet := ssotest.NewPool(t, oneClient(func(c *ssotest.Client) { c.PreventUserExistenceErrors = true }))
	_, err := sdk(quiet).ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: aws.String("web"), Username: aws.String("gone"), ConfirmationCode: aws.String("1")})
	wantCode(t, "nobody, quietly", err, "CodeMismatchException", "")
	if _, err := c.AdminConfirmSignUp(t.Context(), &cip.AdminConfirmSignUpInput{UserPoolId: aws.String(p.ID()), Username: aws.String("u")}); err != nil {
		t.Error(err)
	}
}

// TestPreSignUpFlags: the trigger confirms the sign-up and verifies the email.
func TestPreSignUpFlags(t *testing.T) {
	t.Parallel()
	answer := func(response string) ssotest.Trigger {
		return ssotest.TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) {
			return json.RawMessage(`{"response":` + response + `}`), nil
		})
	}
	signUp := func(p *ssotest.Pool, list ...types.AttributeType) (*cip.SignUpOutput, error) {
		return sdk(p).SignUp(t.Context(), &cip.SignUpInput{
			ClientId: aws.String(ssotest.DefaultClientID), Username: aws.String("u"), Password: aws.String(password), UserAttributes: list,
		})
	}
	all := ssotest.Triggers{PreSignUp: answer(`{"autoConfirmUser":true,"autoVerifyEmail":true,"autoVerifyPhone":false}`), PostConfirmation: answer(`{}`)}
	p := ssotest.NewPool(t, ssotest.Config{Triggers: all})
	out, err := signUp(p, attribute("email", "a@b.kr"))
	if err != nil || !out.UserConfirmed {
		t.Fatalf("%v: %+v", err, out)
	}
	if u, _ := p.User("u"); u.Status != "CONFIRMED" || u.Attributes["email_verified"] != "true" {
		t.Errorf("%+v", u)
	}
	if calls := p.TriggerCalls(); len(calls) != 2 || calls[1].Source != "PostConfirmation_ConfirmSignUp" {
		t.Errorf("calls %+v", calls)
	}
	p = ssotest.NewPool(t, ssotest.Config{Triggers: all})
	_, err = signUp(p)
	wantCode(t, "verifying no email", err, "InvalidParameterException", "")
	if len(p.Users()) != 0 {
		t.Error("a refused sign-up left a user")
	}

	all.PostConfirmation = ssotest.TriggerFunc(func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, errors.New("no database") })
	p = ssotest.NewPool(t, ssotest.Config{Triggers: all})
	_, err = signUp(p, attribute("email", "a@b.kr"))
	wantCode(t, "PostConfirmation", err, "UserLambdaValidationException", "PostConfirmation failed with error no database.")
	if u, ok := p.User("u"); !ok || u.Status != "CONFIRMED" {
		t.Error("no ghost")
	}

	p = ssotest.NewPool(t, ssotest.Config{Triggers: ssotest.Triggers{PreSignUp: answer(`[]`)}})
	_, err = signUp(p)
	wantCode(t, "a malformed answer", err, "InvalidLambdaResponseException", "")
	p.SetFaults(func(f *ssotest.Faults) { f.TriggerTimeout = map[string]int{"*": -1} })
	_, err = signUp(p)
	wantCode(t, "timeouts", err, "UnexpectedLambdaException", "PreSignUp invocation failed due to error Socket timeout while invoking Lambda function.")
}

func TestAdminCreateUser(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{
		Triggers: ssotest.All(ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })),
	})
	c, id, client := sdk(p), aws.String(p.ID()), aws.String(ssotest.DefaultClientID)
	out, err := c.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{
		UserPoolId: id, Username: aws.String("u"), TemporaryPassword: aws.String(password),
		UserAttributes: []types.AttributeType{attribute("email", "a@b.kr"), attribute("custom:userId", "7")},
		MessageAction:  types.MessageActionTypeSuppress,
	})
	if err != nil || out.User.UserStatus != types.UserStatusTypeForceChangePassword || attributesOf(out.User.Attributes)["custom:userId"] != "7" {
		t.Fatalf("%v: %+v", err, out)
	}
	auth, err := c.AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
		UserPoolId: id, ClientId: client, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": "u", "PASSWORD": password},
	})
	if err != nil || auth.ChallengeName != types.ChallengeNameTypeNewPasswordRequired || auth.AuthenticationResult != nil {
		t.Fatalf("%v: %+v", err, auth)
	}
	respond := func(session *string, responses map[string]string) (*cip.AdminRespondToAuthChallengeOutput, error) {
		return c.AdminRespondToAuthChallenge(t.Context(), &cip.AdminRespondToAuthChallengeInput{
			UserPoolId: id, ClientId: client, ChallengeName: types.ChallengeNameTypeNewPasswordRequired, Session: session, ChallengeResponses: responses,
		})
	}
	right := map[string]string{"USERNAME": "u", "NEW_PASSWORD": "N3w-password", "userAttributes.name": "Kim"}
	_, err = respond(aws.String("made-up"), right)
	wantCode(t, "a made-up session", err, "NotAuthorizedException", "Invalid session for the user.")
	_, err = respond(auth.Session, map[string]string{"USERNAME": "u", "NEW_PASSWORD": "short"})
	wantCode(t, "a bad password", err, "InvalidPasswordException", "")
	_, err = respond(auth.Session, map[string]string{"USERNAME": "u", "NEW_PASSWORD": "N3w-password", "userAttributes.custom:userId": "8"})
	wantCode(t, "an attribute the client may not write", err, "NotAuthorizedException", "A client attempted to write unauthorized attribute")
	done, err := respond(auth.Session, right)
	if err != nil || done.AuthenticationResult == nil {
		t.Fatalf("%v: %+v", err, done)
	}
	if u, _ := p.User("u"); u.Status != "CONFIRMED" || u.Attributes["name"] != "Kim" {
		t.Errorf("%+v", u)
	}
	_, err = respond(auth.Session, right)
	wantCode(t, "the session again", err, "NotAuthorizedException", "")
	var sources []string
	for _, call := range p.TriggerCalls() {
		sources = append(sources, call.Source)
	}
	want := []string{"PreSignUp_AdminCreateUser", "PreAuthentication_Authentication", "PostAuthentication_Authentication", "TokenGeneration_NewPasswordChallenge"}
	if !slices.Equal(sources, want) {
		t.Errorf("triggers %v\nwant %v: PostConfirmation never", sources, want)
	}

	create := func(in cip.AdminCreateUserInput) error {
		in.UserPoolId = id
		_, err := c.AdminCreateUser(t.Context(), &in)
		return err
	}
	if err := create(cip.AdminCreateUserInput{Username: aws.String("v")}); err != nil {
		t.Fatal(err)
	}
	if err := create(cip.AdminCreateUserInput{Username: aws.String("v"), MessageAction: types.MessageActionTypeResend}); err != nil {
		t.Errorf("RESEND: %v", err)
	}
	wantCode(t, "taken", create(cip.AdminCreateUserInput{Username: aws.String("v")}), "UsernameExistsException", "")
	wantCode(t, "RESEND to nobody", create(cip.AdminCreateUserInput{Username: aws.String("w"), MessageAction: types.MessageActionTypeResend}), "UserNotFoundException", "")
	wantCode(t, "RESEND to a confirmed user", create(cip.AdminCreateUserInput{Username: aws.String("u"), MessageAction: types.MessageActionTypeResend}), "UnsupportedUserStateException", "")
	wantCode(t, "a bad password", create(cip.AdminCreateUserInput{Username: aws.String("w"), TemporaryPassword: aws.String("x")}), "InvalidPasswordException", "")

	p.Advance(time.Hour)
	auth, err = c.AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
		UserPoolId: id, ClientId: client, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": "u", "PASSWORD": "N3w-password"},
	})
	if err != nil || auth.AuthenticationResult == nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestSetPasswordOnAFederatedUser(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	addUser(t, p, ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER"})
	_, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: aws.String(ssotest.DefaultClientID),
		AuthParameters: map[string]string{"USERNAME": "Kakao_1", "PASSWORD": password},
	})
	wantCode(t, "without a password", err, "NotAuthorizedException", "Incorrect username or password.")
	if _, err := sdk(p).AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{
		UserPoolId: aws.String(p.ID()), Username: aws.String("Kakao_1"), Password: aws.String(password), Permanent: true,
	}); err != nil {
		t.Fatal(err)
	}
	if u, _ := p.User("Kakao_1"); u.Status != "CONFIRMED" {
		t.Errorf("status %s", u.Status)
	}
	nativeTokens(t, p, ssotest.DefaultClientID, "Kakao_1")
}

func TestNativeTokens(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	u := addUser(t, p, ssotest.User{Username: "u", Password: password, Groups: []string{"staff"}, Attributes: map[string]string{"custom:userId": "7", "email": "a@b.kr"}})
	tok := nativeTokens(t, p, ssotest.DefaultClientID, "u")
	if *tok.TokenType != "Bearer" || tok.ExpiresIn != 3600 || strings.Count(*tok.RefreshToken, ".") != 4 {
		t.Errorf("%s, %d s", *tok.TokenType, tok.ExpiresIn)
	}
	access, id := claimsOf(t, *tok.AccessToken), claimsOf(t, *tok.IdToken)
	common := []string{"acr", "amr", "auth_time", "cognito:groups", "event_id", "exp", "iat", "iss", "jti", "origin_jti", "sub", "token_use"}
	sameKeys(t, "the access token", access, append(common, "client_id", "scope", "username", "version")...)
	sameKeys(t, "the ID token", id, append(common, "aud", "cognito:username", "custom:userId", "email", "email_verified")...)
	if access["scope"] != "aws.cognito.signin.user.admin" || access["sub"] != u.Sub || id["custom:userId"] != "7" || id["email_verified"] != false {
		t.Errorf("access token %v\nID token %v", access, id)
	}
}

func TestInitiateAuthRefusals(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{Clients: []ssotest.Client{
		{ClientID: "web"},
		{ClientID: "quiet", PreventUserExistenceErrors: true},
		{ClientID: "none", ExplicitAuthFlows: []string{}},
		{ClientID: "secret", ClientSecret: "topsecret"},
		{ClientID: "rotating", RefreshTokenRotation: true},
	}})
	addUser(t, p, ssotest.User{Username: "u", Password: password})
	addUser(t, p, ssotest.User{Username: "off", Password: password, Disabled: true})
	addUser(t, p, ssotest.User{Username: "reset", Password: password, Status: "RESET_REQUIRED"})
	refresh := *nativeTokens(t, p, "web", "u").RefreshToken
	rotating := *nativeTokens(t, p, "rotating", "u").RefreshToken
	login := func(user, pass string) map[string]string {
		return map[string]string{"USERNAME": user, "PASSWORD": pass}
	}
	with := func(m map[string]string, hash string) map[string]string {
		m["SECRET_HASH"] = hash
		return m
	}
	const notAuthorized, invalid = "NotAuthorizedException", "InvalidParameterException"
	for _, row := range []struct {
		name, client, flow string
		params             map[string]string
		code, text         string
	}{
		{"a wrong password", "web", "USER_PASSWORD_AUTH", login("u", "x"), notAuthorized, "Incorrect username or password."},
		{"nobody", "web", "USER_PASSWORD_AUTH", login("gone", "x"), "UserNotFoundException", "User does not exist."},
		{"nobody, quietly", "quiet", "USER_PASSWORD_AUTH", login("gone", "x"), notAuthorized, "Incorrect username or password."},
		{"disabled", "web", "USER_PASSWORD_AUTH", login("off", password), notAuthorized, "User is disabled."},
		{"reset", "web", "USER_PASSWORD_AUTH", login("reset", password), "PasswordResetRequiredException", ""},
		{"a client the pool has not", "gone", "USER_PASSWORD_AUTH", login("u", password), "ResourceNotFoundException", ""},
		{"a flow the client has not", "none", "USER_PASSWORD_AUTH", login("u", password), invalid, "USER_PASSWORD_AUTH flow not enabled for this client"},
		{"the admin's flow", "web", "ADMIN_USER_PASSWORD_AUTH", login("u", password), invalid, ""},
		{"SRP", "web", "USER_SRP_AUTH", login("u", password), invalid, ""},
		{"an unknown flow", "web", "MAGIC", login("u", password), invalid, ""},
		{"no username", "web", "USER_PASSWORD_AUTH", login("", password), invalid, "Missing required parameter USERNAME"},
		{"no password", "web", "USER_PASSWORD_AUTH", login("u", ""), invalid, "Missing required parameter PASSWORD"},
		{"no secret hash", "secret", "USER_PASSWORD_AUTH", login("u", password), notAuthorized, "Client secret is configured with secret but SECRET_HASH was not received"},
		{"a wrong secret hash", "secret", "USER_PASSWORD_AUTH", with(login("u", password), "x"), notAuthorized, "Unable to verify secret hash for client secret"},
		{"the secret hash of another user", "secret", "USER_PASSWORD_AUTH", with(login("u", password), hashOf("off", "secret", "topsecret")), notAuthorized, "Unable to verify secret hash for client secret"},
		{"a secret hash for a public client", "web", "USER_PASSWORD_AUTH", with(login("u", password), "x"), notAuthorized, "Unable to verify secret hash for client web"},
		{"no refresh token", "web", "REFRESH_TOKEN_AUTH", nil, invalid, ""},
		{"a made-up refresh token", "web", "REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": "x"}, notAuthorized, "Invalid Refresh Token."},
		{"a refresh token of another client", "quiet", "REFRESH_TOKEN", map[string]string{"REFRESH_TOKEN": refresh}, notAuthorized, "Invalid Refresh Token."},
		{"refreshing without the flow", "none", "REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": refresh}, invalid, ""},
		{"refreshing with rotation", "rotating", "REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": rotating}, invalid, ""},
	} {
		_, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
			AuthFlow: types.AuthFlowType(row.flow), ClientId: &row.client, AuthParameters: row.params,
		})
		wantCode(t, row.name, err, row.code, row.text)
	}
	for _, row := range []struct{ name, client, flow, code, text string }{
		{"the user's flow by the admin", "web", "USER_PASSWORD_AUTH", invalid, ""},
		{"the admin's flow is off", "none", "ADMIN_NO_SRP_AUTH", notAuthorized, "Auth flow not enabled for this client"},
	} {
		_, err := sdk(p).AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
			UserPoolId: aws.String(p.ID()), AuthFlow: types.AuthFlowType(row.flow), ClientId: &row.client, AuthParameters: login("u", password),
		})
		wantCode(t, row.name, err, row.code, row.text)
	}
	admin, err := sdk(p).AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{
		UserPoolId: aws.String(p.ID()), AuthFlow: types.AuthFlowTypeRefreshTokenAuth, ClientId: aws.String("web"),
		AuthParameters: map[string]string{"REFRESH_TOKEN": refresh},
	})
	if err != nil || admin.AuthenticationResult.AccessToken == nil {
		t.Errorf("refreshing by the admin: %v", err)
	}
	// Beside them: the right hash, for a sign-in and, by username or sub, for a refresh.
	out, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: aws.String("secret"), AuthParameters: with(login("u", password), hashOf("u", "secret", "topsecret")),
	})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := p.User("u")
	for _, name := range []string{"u", u.Sub} {
		again, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
			AuthFlow: types.AuthFlowTypeRefreshTokenAuth, ClientId: aws.String("secret"),
			AuthParameters: map[string]string{"REFRESH_TOKEN": *out.AuthenticationResult.RefreshToken, "SECRET_HASH": hashOf(name, "secret", "topsecret")},
		})
		if err != nil || again.AuthenticationResult.RefreshToken != nil {
			t.Errorf("refreshing with the hash of %q: %v", name, err)
		}
	}
}

func hashOf(username, client, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(username + client))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestGetTokensFromRefreshToken(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{
		Clients: []ssotest.Client{{ClientID: "web", ClientSecret: "topsecret", RefreshTokenRotation: true}},
		Triggers: ssotest.Triggers{PreTokenGeneration: ssotest.TriggerFunc(
			func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })},
	})
	addUser(t, p, ssotest.User{Username: "u", Password: password})
	out, err := sdk(p).InitiateAuth(t.Context(), &cip.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserPasswordAuth, ClientId: aws.String("web"),
		AuthParameters: map[string]string{"USERNAME": "u", "PASSWORD": password, "SECRET_HASH": hashOf("u", "web", "topsecret")},
	})
	if err != nil {
		t.Fatal(err)
	}
	redeem := func(token *string, secret string) (*types.AuthenticationResultType, error) {
		out, err := sdk(p).GetTokensFromRefreshToken(t.Context(), &cip.GetTokensFromRefreshTokenInput{ClientId: aws.String("web"), ClientSecret: &secret, RefreshToken: token})
		if err != nil {
			return nil, err
		}
		return out.AuthenticationResult, nil
	}
	old := out.AuthenticationResult.RefreshToken
	_, err = redeem(old, "wrong")
	wantCode(t, "a wrong secret", err, "NotAuthorizedException", "")
	fresh, err := redeem(old, "topsecret")
	if err != nil || fresh.RefreshToken == nil {
		t.Fatal(err)
	}
	_, err = redeem(old, "topsecret")
	wantCode(t, "the old one", err, "RefreshTokenReuseException", "")
	if calls := p.TriggerCalls(); len(calls) != 2 || calls[1].Source != "TokenGeneration_Authentication" {
		t.Errorf("calls %+v: the source of this operation is that of a sign-in", calls)
	}
	revoke := func(token *string, client, secret string) error {
		_, err := sdk(p).RevokeToken(t.Context(), &cip.RevokeTokenInput{Token: token, ClientId: &client, ClientSecret: &secret})
		return err
	}
	wantCode(t, "revoking an access token", revoke(fresh.AccessToken, "web", "topsecret"), "UnsupportedTokenTypeException", "")
	wantCode(t, "revoking with a wrong secret", revoke(fresh.RefreshToken, "web", ""), "UnauthorizedException", "")
	wantCode(t, "revoking for nobody", revoke(fresh.RefreshToken, "gone", ""), "UnauthorizedException", "")
	if err := revoke(fresh.RefreshToken, "web", "topsecret"); err != nil {
		t.Fatal(err)
	}
	_, err = redeem(fresh.RefreshToken, "topsecret")
	wantCode(t, "a revoked one", err, "NotAuthorizedException", "Refresh Token has been revoked")
	off := ssotest.NewPool(t, ssotest.Config{Clients: []ssotest.Client{{ClientID: "web", DisableTokenRevocation: true}}})
	_, err = sdk(off).RevokeToken(t.Context(), &cip.RevokeTokenInput{Token: aws.String("x"), ClientId: aws.String("web")})
	wantCode(t, "revocation is off", err, "UnsupportedOperationException", "")
}

// TestSelfService is what a user may do with an access token.
func TestSelfService(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{Clients: []ssotest.Client{
		{ClientID: "web"},
		{ClientID: "careless", ReadAttributes: []string{"custom:userId"}, WriteAttributes: []string{"custom:userId", "email", "email_verified"}},
	}})
	addUser(t, p, ssotest.User{Username: "u", Password: password, Attributes: map[string]string{"custom:userId": "7", "email": "a@b.kr", "email_verified": "true"}})
	c := sdk(p)
	update := func(token *string, name, value string) error {
		_, err := c.UpdateUserAttributes(t.Context(), &cip.UpdateUserAttributesInput{AccessToken: token, UserAttributes: []types.AttributeType{attribute(name, value)}})
		return err
	}
	web, careless := nativeTokens(t, p, "web", "u"), nativeTokens(t, p, "careless", "u")
	for token, want := range map[*string][]string{
		web.AccessToken:      {"custom:userId", "email", "email_verified", "sub"},
		careless.AccessToken: {"custom:userId", "sub"},
	} {
		out, err := c.GetUser(t.Context(), &cip.GetUserInput{AccessToken: token})
		if err != nil || *out.Username != "u" {
			t.Fatalf("%v: %+v", err, out)
		}
		var names []string
		for _, a := range out.UserAttributes {
			names = append(names, *a.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("GetUser shows %v; want %v", names, want)
		}
	}
	const unauthorized = "A client attempted to write unauthorized attribute"
	wantCode(t, "userId by a careful client", update(web.AccessToken, "custom:userId", "8"), "NotAuthorizedException", unauthorized)
	wantCode(t, "a verified flag", update(web.AccessToken, "email_verified", "true"), "NotAuthorizedException", unauthorized)
	wantCode(t, "a verified flag by a careless client", update(careless.AccessToken, "email_verified", "true"), "NotAuthorizedException", unauthorized)
	wantCode(t, "sub", update(web.AccessToken, "sub", "x"), "NotAuthorizedException", unauthorized)
	wantCode(t, "deleting userId", update(web.AccessToken, "custom:userId", ""), "NotAuthorizedException", unauthorized)
	if err := update(web.AccessToken, "email", "c@d.kr"); err != nil {
		t.Fatal(err)
	}
	// The attack that a client with custom:userId in WriteAttributes allows.
	if err := update(careless.AccessToken, "custom:userId", "8"); err != nil {
		t.Fatal(err)
	}
	if u, _ := p.User("u"); u.Attributes["custom:userId"] != "8" || u.Attributes["email_verified"] != "false" {
		t.Errorf("%v", u.Attributes)
	}
	narrow := p.AccessToken(ssotest.Claims{Username: "u", Scopes: []string{"openid"}})
	_, err := c.GetUser(t.Context(), &cip.GetUserInput{AccessToken: &narrow})
	wantCode(t, "without the scope", err, "NotAuthorizedException", "Access Token does not have required scopes")
	wantCode(t, "with an ID token", update(web.IdToken, "name", "x"), "NotAuthorizedException", "Invalid Access Token")

	if _, err := c.GlobalSignOut(t.Context(), &cip.GlobalSignOutInput{AccessToken: web.AccessToken}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []*string{web.AccessToken, careless.AccessToken} {
		_, err := c.GetUser(t.Context(), &cip.GetUserInput{AccessToken: token})
		wantCode(t, "after signing out everywhere", err, "NotAuthorizedException", "Access Token has been revoked")
	}
	again := nativeTokens(t, p, "web", "u")
	if _, err := c.GetUser(t.Context(), &cip.GetUserInput{AccessToken: again.AccessToken}); err != nil {
		t.Errorf("a later sign-in: %v", err)
	}
}

func TestDisableAndDelete(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	addUser(t, p, ssotest.User{Username: "u", Password: password})
	c, id, name := sdk(p), aws.String(p.ID()), aws.String("u")
	tok := nativeTokens(t, p, ssotest.DefaultClientID, "u")
	for range 2 {
		if _, err := c.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: id, Username: name}); err != nil {
			t.Fatal(err)
		}
	}
	if u, _ := p.User("u"); !u.Disabled {
		t.Error("not disabled")
	}
	if _, err := c.AdminEnableUser(t.Context(), &cip.AdminEnableUserInput{UserPoolId: id, Username: name}); err != nil {
		t.Fatal(err)
	}
	_, err := c.GetUser(t.Context(), &cip.GetUserInput{AccessToken: tok.AccessToken})
	wantCode(t, "enabling does not bring tokens back", err, "NotAuthorizedException", "Access Token has been revoked")
	nativeTokens(t, p, ssotest.DefaultClientID, "u")
	if _, err := c.AdminUserGlobalSignOut(t.Context(), &cip.AdminUserGlobalSignOutInput{UserPoolId: id, Username: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: id, Username: name}); err != nil {
		t.Fatal(err)
	}
	_, err = c.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: id, Username: name})
	wantCode(t, "deleted twice", err, "UserNotFoundException", "")
	_, err = c.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: id, Username: name})
	wantCode(t, "disabling nobody", err, "UserNotFoundException", "")
}

func TestGroups(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	addUser(t, p, ssotest.User{Username: "u", Password: password})
	c, id, name := sdk(p), aws.String(p.ID()), aws.String("u")
	create := func(group string, precedence int32, role string) error {
		_, err := c.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: id, GroupName: &group, Precedence: &precedence, RoleArn: &role, Description: aws.String("d")})
		return err
	}
	for i, group := range []string{"staff", "admins"} {
		if err := create(group, int32(10-i), "arn:aws:iam::000000000000:role/"+group); err != nil { //nolint:gosec // 9 and 10
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: id, Username: name, GroupName: &group}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := c.GetGroup(t.Context(), &cip.GetGroupInput{UserPoolId: id, GroupName: aws.String("admins")})
	if err != nil || *got.Group.Precedence != 9 || *got.Group.Description != "d" || *got.Group.UserPoolId != p.ID() {
		t.Errorf("%v: %+v", err, got)
	}
	tok := nativeTokens(t, p, ssotest.DefaultClientID, "u")
	claims := claimsOf(t, *tok.IdToken)
	if roles, _ := claims["cognito:roles"].([]any); len(roles) != 2 || claims["cognito:preferred_role"] != "arn:aws:iam::000000000000:role/admins" {
		t.Errorf("%v", claims)
	}
	all, err := c.ListGroups(t.Context(), &cip.ListGroupsInput{UserPoolId: id, Limit: aws.Int32(3)})
	if err != nil || len(all.Groups) != 3 || all.NextToken == nil {
		t.Fatalf("%v: %d groups", err, len(all.Groups))
	}
	rest, err := c.ListGroups(t.Context(), &cip.ListGroupsInput{UserPoolId: id, NextToken: all.NextToken})
	if err != nil || len(rest.Groups) != 1 { // two, and one for each provider
		t.Errorf("%v: %d groups are left", err, len(rest.Groups))
	}
	mine, err := c.AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: id, Username: name})
	if err != nil || len(mine.Groups) != 2 {
		t.Errorf("%v: %d groups", err, len(mine.Groups))
	}
	members, err := c.ListUsersInGroup(t.Context(), &cip.ListUsersInGroupInput{UserPoolId: id, GroupName: aws.String("staff")})
	if err != nil || len(members.Users) != 1 || *members.Users[0].Username != "u" {
		t.Errorf("%v: %+v", err, members)
	}
	if _, err := c.AdminRemoveUserFromGroup(t.Context(), &cip.AdminRemoveUserFromGroupInput{UserPoolId: id, Username: name, GroupName: aws.String("staff")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: id, GroupName: aws.String("admins")}); err != nil {
		t.Fatal(err)
	}
	if u, _ := p.User("u"); len(u.Groups) != 0 {
		t.Errorf("groups %v", u.Groups)
	}
	if claims := claimsOf(t, *nativeTokens(t, p, ssotest.DefaultClientID, "u").AccessToken); claims["cognito:groups"] != nil {
		t.Errorf("cognito:groups is %v; want none", claims["cognito:groups"])
	}
	wantCode(t, "twice", create("staff", 1, "arn:aws:iam::000000000000:role/x"), "GroupExistsException", "")
	wantCode(t, "a blank", create("a b", 1, "arn:aws:iam::000000000000:role/x"), "InvalidParameterException", "")
	wantCode(t, "a negative precedence", create("n", -1, "arn:aws:iam::000000000000:role/x"), "InvalidParameterException", "")
	_, err = c.GetGroup(t.Context(), &cip.GetGroupInput{UserPoolId: id, GroupName: aws.String("gone")})
	wantCode(t, "no group", err, "ResourceNotFoundException", "")
	_, err = c.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: id, Username: aws.String("gone"), GroupName: aws.String("staff")})
	wantCode(t, "no user", err, "UserNotFoundException", "")
	_, err = c.ListGroups(t.Context(), &cip.ListGroupsInput{UserPoolId: id, Limit: aws.Int32(61)})
	wantCode(t, "61 groups", err, "InvalidParameterException", "")
}

func TestLinking(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{
		Providers:        []ssotest.Provider{ssotest.Kakao(), ssotest.Google()},
		CustomAttributes: []ssotest.CustomAttribute{{Name: "userId", Mutable: true}, {Name: "fixed"}},
	})
	addUser(t, p, ssotest.User{Username: "u"})
	addUser(t, p, ssotest.User{Username: "fixed", Attributes: map[string]string{"custom:fixed": "1"}})
	addUser(t, p, ssotest.User{Username: "Google_in", Status: "EXTERNAL_PROVIDER"})
	c, id := sdk(p), aws.String(p.ID())
	user := func(provider, attribute, value string) *types.ProviderUserIdentifierType {
		return &types.ProviderUserIdentifierType{ProviderName: &provider, ProviderAttributeName: &attribute, ProviderAttributeValue: &value}
	}
	try := func(destination, source *types.ProviderUserIdentifierType) error {
		_, err := c.AdminLinkProviderForUser(t.Context(), &cip.AdminLinkProviderForUserInput{UserPoolId: id, DestinationUser: destination, SourceUser: source})
		return err
	}
	local := user("Cognito", "", "u")
	for _, row := range []struct {
		name                string
		destination, source *types.ProviderUserIdentifierType
		code, text          string
	}{
		{"a source that has signed in", local, user("Google", "Cognito_Subject", "in"), "InvalidParameterException", "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link"},
		{"a destination that is not there", user("Cognito", "", "gone"), user("Google", "Cognito_Subject", "1"), "UserNotFoundException", ""},
		{"a destination with an immutable attribute", user("Cognito", "", "fixed"), user("Google", "Cognito_Subject", "1"), "InvalidParameterException", ""},
		{"a provider the pool has not", local, user("Naver", "Cognito_Subject", "1"), "InvalidParameterException", ""},
		{"a provider of another case", local, user("google", "Cognito_Subject", "1"), "InvalidParameterException", ""},
		{"a source by email", local, user("Google", "email", "a@b.kr"), "InvalidParameterException", ""},
		{"a source without a value", local, user("Google", "Cognito_Subject", ""), "InvalidParameterException", ""},
	} {
		wantCode(t, row.name, try(row.destination, row.source), row.code, row.text)
	}
	for i := range 5 {
		for range 2 { // twice is once
			if err := try(local, user("Google", "Cognito_Subject", strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantCode(t, "a sixth", try(local, user("Kakao", "Cognito_Subject", "6")), "LimitExceededException", "")
	wantCode(t, "to another user", try(user("Google", "", "in"), user("Google", "Cognito_Subject", "0")), "AliasExistsException", "")
	if err := try(user("Google", "", "in"), user("Kakao", "Cognito_Subject", "6")); err != nil {
		t.Errorf("to a federated user: %v", err)
	}
	if u, _ := p.User("u"); strings.Count(u.Attributes["identities"], `"primary":false`) != 5 || len(u.Groups) != 0 {
		t.Errorf("%+v", u)
	}
	unlink := func(value string) error {
		_, err := c.AdminDisableProviderForUser(t.Context(), &cip.AdminDisableProviderForUserInput{UserPoolId: id, User: user("Google", "Cognito_Subject", value)})
		return err
	}
	if err := unlink("0"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "unlinked twice", unlink("0"), "UserNotFoundException", "")
	if u, _ := p.User("u"); strings.Contains(u.Attributes["identities"], `"userId":"0"`) {
		t.Errorf("%v", u.Attributes)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	trigger := ssotest.TriggerFunc(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	p := ssotest.NewPool(t, ssotest.Config{
		ID: "ap-northeast-2_Pool1", Issuer: ssotest.IssuerUpdated,
		Clients: []ssotest.Client{
			{
				ClientID: "web", ClientSecret: "topsecret", CallbackURLs: []string{"https://a.example/cb"},
				ReadAttributes: []string{"email", "custom:userId"}, WriteAttributes: []string{"email"},
				RefreshTokenRotation: true, RetryGracePeriod: 10 * time.Second, PreventUserExistenceErrors: true, DisableTokenRevocation: true,
				AccessTokenValidity: 5 * time.Minute,
			},
			{ClientID: "plain", ClientName: "A plain one"},
		},
		Triggers: ssotest.Triggers{PostConfirmation: trigger, PreTokenGeneration: trigger, PreTokenGenerationVersion: "V2_0"},
	})
	c, id := sdk(p), aws.String(p.ID())
	pool, err := c.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: id})
	if err != nil {
		t.Fatal(err)
	}
	u := pool.UserPool
	if *u.Id != p.ID() || u.IssuerConfiguration.Type != "UPDATED" || u.UserPoolTier != types.UserPoolTierTypeEssentials ||
		*u.LambdaConfig.PostConfirmation != "arn:aws:lambda:ap-northeast-2:000000000000:function:PostConfirmation" ||
		u.LambdaConfig.PreSignUp != nil || u.LambdaConfig.PreTokenGenerationConfig.LambdaVersion != types.PreTokenGenerationLambdaVersionTypeV20 {
		t.Errorf("%+v, %+v", u, u.LambdaConfig)
	}
	i := slices.IndexFunc(u.SchemaAttributes, func(a types.SchemaAttributeType) bool { return *a.Name == "custom:userId" })
	if i < 0 || !*u.SchemaAttributes[i].Mutable || *u.SchemaAttributes[i].StringAttributeConstraints.MaxLength != "2048" {
		t.Error("custom:userId is missing or wrong in the schema")
	}
	describe := func(name string) (*types.UserPoolClientType, error) {
		out, err := c.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: id, ClientId: &name})
		if err != nil {
			return nil, err
		}
		return out.UserPoolClient, nil
	}
	web, err := describe("web")
	if err != nil {
		t.Fatal(err)
	}
	if *web.ClientSecret != "topsecret" || !slices.Equal(web.WriteAttributes, []string{"email"}) || *web.AccessTokenValidity != 300 ||
		web.TokenValidityUnits.AccessToken != types.TimeUnitsTypeSeconds || web.RefreshTokenRotation.Feature != types.FeatureTypeEnabled ||
		*web.RefreshTokenRotation.RetryGracePeriodSeconds != 10 || *web.EnableTokenRevocation || web.PreventUserExistenceErrors != "ENABLED" ||
		web.RefreshTokenValidity != 30*24*3600 || slices.Contains(web.ExplicitAuthFlows, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth) {
		t.Errorf("%+v", web)
	}
	plain, err := describe("plain")
	if err != nil || plain.ReadAttributes != nil || plain.WriteAttributes != nil || plain.ClientSecret != nil ||
		!slices.Contains(plain.ExplicitAuthFlows, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth) {
		t.Errorf("%v: %+v", err, plain)
	}
	_, err = describe("gone")
	wantCode(t, "no client", err, "ResourceNotFoundException", "")
	clients, err := c.ListUserPoolClients(t.Context(), &cip.ListUserPoolClientsInput{UserPoolId: id, MaxResults: aws.Int32(1)})
	if err != nil || len(clients.UserPoolClients) != 1 || *clients.UserPoolClients[0].ClientName != "A plain one" || clients.NextToken == nil {
		t.Errorf("%v: %+v", err, clients)
	}
	providers, err := c.ListIdentityProviders(t.Context(), &cip.ListIdentityProvidersInput{UserPoolId: id})
	if err != nil || len(providers.Providers) != 2 || *providers.Providers[1].ProviderName != "Kakao" {
		t.Errorf("%v: %+v", err, providers)
	}
	kakao, err := c.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Kakao")})
	if err != nil || kakao.IdentityProvider.ProviderType != types.IdentityProviderTypeTypeOidc || kakao.IdentityProvider.AttributeMapping["email_verified"] != "" {
		t.Errorf("%v: %+v", err, kakao)
	}
	_, err = c.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Naver")})
	wantCode(t, "no provider", err, "ResourceNotFoundException", "")
	_, err = c.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String("ap-northeast-2_Other")})
	wantCode(t, "another pool", err, "ResourceNotFoundException", "User pool ap-northeast-2_Other does not exist.")
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	addUser(t, p, ssotest.User{Username: "u"})
	get := func() error {
		_, err := sdk(p).AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(p.ID()), Username: aws.String("u")})
		return err
	}
	set := func(f ssotest.Faults) { p.SetFaults(func(now *ssotest.Faults) { *now = f }) }
	set(ssotest.Faults{Throttle: map[string]bool{"AdminGetUser": true}})
	wantCode(t, "throttled", get(), "TooManyRequestsException", "")
	set(ssotest.Faults{Throttle: map[string]bool{"*": true}})
	wantCode(t, "all throttled", get(), "TooManyRequestsException", "")
	set(ssotest.Faults{Throttle: map[string]bool{"ListUsers": true}})
	if err := get(); err != nil {
		t.Errorf("another operation is throttled: %v", err)
	}
	set(ssotest.Faults{Quota: map[string]int{"AdminGetUser": 1}})
	if err := get(); err != nil {
		t.Errorf("within the quota: %v", err)
	}
	wantCode(t, "above the quota", get(), "TooManyRequestsException", "")
	set(ssotest.Faults{APIError: map[string]string{"AdminGetUser": "InternalErrorException"}})
	wantCode(t, "broken", get(), "InternalErrorException", "")
	set(ssotest.Faults{APIError: map[string]string{"*": "ResourceNotFoundException"}})
	wantCode(t, "all broken", get(), "ResourceNotFoundException", "")
	set(ssotest.Faults{})
	if err := get(); err != nil {
		t.Error(err)
	}
}

// TestAPIWire is what the SDK hides: status, headers, bodies, and requests that no SDK sends.
func TestAPIWire(t *testing.T) {
	t.Parallel()
	p := ssotest.NewPool(t, ssotest.Config{})
	addUser(t, p, ssotest.User{Username: "u"})
	addUser(t, p, ssotest.User{Username: "v"})
	good := `{"UserPoolId":"` + p.ID() + `","Username":"u"}`
	const prefix = "AWSCognitoIdentityProviderService."
	for _, row := range []struct {
		name, target, auth, body string
		status                   int
		want                     string // a part of the body, or all of it if it is empty
	}{
		{"good", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", good, 200, `{"Username":"u","UserAttributes":[`},
		{"an empty output", prefix + "AdminEnableUser", "AWS4-HMAC-SHA256 x", good, 200, `{}`},
		{"no output", prefix + "AdminDeleteUser", "AWS4-HMAC-SHA256 x", strings.Replace(good, `"u"`, `"v"`, 1), 200, ``},
		{"unknown members", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"New":1,` + good[1:], 200, `{"Username":"u"`},
		{"unsigned", prefix + "AdminGetUser", "", good, 400, `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"signed by a bearer token", prefix + "AdminGetUser", "Bearer x", good, 400, `"MissingAuthenticationTokenException"`},
		{"an operation the fake has not", prefix + "CreateUserPool", "", `{}`, 400, `"UnknownOperationException"`},
		{"no operation", prefix, "", `{}`, 400, `"UnknownOperationException"`},
		{"an operation of another case", prefix + "adminGetUser", "", `{}`, 400, `"UnknownOperationException"`},
		{"another service", "DynamoDB_20120810.GetItem", "", `{}`, 400, `"UnknownOperationException"`},
		{"no body", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", ``, 400, `"SerializationException"`},
		{"an array", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `[]`, 400, `"SerializationException"`},
		{"a number for a string", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"UserPoolId":1}`, 400, `"SerializationException"`},
		{"two objects", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", good + good, 400, `"SerializationException"`},
		{"too large", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"x":"` + strings.Repeat("a", 1<<20) + `"}`, 400, `"SerializationException"`},
		{"null", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `null`, 400, `Value null at 'userPoolId' failed to satisfy constraint: Member must not be null`},
		{"a missing member", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"UserPoolId":"x"}`, 400, `Value null at 'username' failed`},
		{"a member of another case", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"userPoolId":"x","Username":"u"}`, 400, `Value null at 'userPoolId' failed`},
		{"a missing list", prefix + "AdminUpdateUserAttributes", "AWS4-HMAC-SHA256 x", good, 400, `Value null at 'userAttributes' failed`},
		{"a missing struct", prefix + "AdminLinkProviderForUser", "AWS4-HMAC-SHA256 x", good, 400, `Value null at 'destinationUser' failed`},
		{"another pool", prefix + "AdminGetUser", "AWS4-HMAC-SHA256 x", `{"UserPoolId":"x","Username":"u"}`, 400, `"ResourceNotFoundException"`},
		{"a public operation", prefix + "GetUser", "", `{"AccessToken":"x"}`, 400, `"NotAuthorizedException"`},
	} {
		t.Run(row.name, func(t *testing.T) { //nolint:paralleltest // shares the pool
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL()+"/", strings.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-amz-json-1.1")
			req.Header.Set("X-Amz-Target", row.target)
			if row.auth != "" {
				req.Header.Set("Authorization", row.auth)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != row.status || !strings.Contains(string(body), row.want) || (row.want == "" && len(body) > 0) {
				t.Errorf("%d %s; want %d %s", resp.StatusCode, body, row.status, row.want)
			}
			if resp.Header.Get("x-amzn-requestid") == "" || resp.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
				t.Errorf("headers %v", resp.Header)
			}
			if kind := resp.Header.Get("x-amzn-errortype"); (row.status != 200) != strings.HasSuffix(kind, "Exception:") {
				t.Errorf("x-amzn-errortype is %q", kind)
			}
		})
	}
	resp, _, err := get(t.Context(), t, p.URL()+"/")
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("GET /: %v, %v", resp, err)
	}
}
