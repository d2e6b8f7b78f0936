package ssotest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/ssu-itsupport/cognito-sso/sso/ssotest/internal/exactjson"
)

const (
	targetHeader = "X-Amz-Target"
	targetPrefix = "AWSCognitoIdentityProviderService."
	signedPrefix = "AWS4-HMAC-SHA256 "

	maxBody = 1 << 20
)

// operation is one of the API.
type operation struct {
	// admin operations want a request signed with AWS credentials. The signature itself is not checked, as the pool knows
	// no secret key; only that there is one.
	admin bool
	run   func(ctx context.Context, p *Pool, body []byte) (any, error)
}

// operations are all that the pool knows, by name.
var operations = map[string]operation{
	"AdminAddUserToGroup":                  admin(adminAddUserToGroup),
	"AdminConfirmSignUp":                   admin(adminConfirmSignUp),
	"AdminCreateUser":                      admin(adminCreateUser),
	"AdminDeleteUser":                      admin(adminDeleteUser),
	"AdminDeleteUserAttributes":            admin(adminDeleteUserAttributes),
	"AdminDisableProviderForUser":          admin(adminDisableProviderForUser),
	"AdminDisableUser":                     admin(adminDisableUser),
	"AdminEnableUser":                      admin(adminEnableUser),
	"AdminGetUser":                         admin(adminGetUser),
	"AdminInitiateAuth":                    admin(adminInitiateAuth),
	"AdminLinkProviderForUser":             admin(adminLinkProviderForUser),
	"AdminListGroupsForUser":               admin(adminListGroupsForUser),
	"AdminRemoveUserFromGroup":             admin(adminRemoveUserFromGroup),
	"AdminRespondToAuthChallenge":          admin(adminRespondToAuthChallenge),
	"AdminSetUserPassword":                 admin(adminSetUserPassword),
	"AdminUpdateUserAttributes":            admin(adminUpdateUserAttributes),
	"AdminUserGlobalSignOut":               admin(adminUserGlobalSignOut),
	"CreateGroup":                          admin(createGroup),
	"DeleteGroup":                          admin(deleteGroup),
	"DescribeIdentityProvider":             admin(describeIdentityProvider),
	"DescribeUserPool":                     admin(describeUserPool),
	"DescribeUserPoolClient":               admin(describeUserPoolClient),
	"DescribeUserPoolDomain":               signed(public(describeUserPoolDomain)),
	"DescribeManagedLoginBrandingByClient": admin(describeManagedLoginBrandingByClient),
	"GetGroup":                             admin(getGroup),
	"ListGroups":                           admin(listGroups),
	"ListIdentityProviders":                admin(listIdentityProviders),
	"ListUserPoolClients":                  admin(listUserPoolClients),
	"ListUsers":                            admin(listUsers),
	"ListUsersInGroup":                     admin(listUsersInGroup),

	"ConfirmSignUp":             public(confirmSignUp),
	"GetTokensFromRefreshToken": public(getTokensFromRefreshToken),
	"GetUser":                   public(getUser),
	"GlobalSignOut":             public(globalSignOut),
	"InitiateAuth":              public(initiateAuth),
	"RespondToAuthChallenge":    public(respondToAuthChallenge),
	"RevokeToken":               public(revokeToken),
	"SignUp":                    public(signUp),
	"UpdateUserAttributes":      public(updateUserAttributes),
}

// poolRef is the member that every admin operation has.
type poolRef struct {
	UserPoolID string `json:"UserPoolId" api:"required"`
}

func (r poolRef) poolID() string { return r.UserPoolID }

func admin[In interface{ poolID() string }, Out any](f func(context.Context, *Pool, In) (Out, error)) operation {
	return operation{admin: true, run: func(ctx context.Context, p *Pool, body []byte) (any, error) {
		in, err := decodeInput[In](body)
		if err != nil {
			return nil, err
		}
		if in.poolID() != p.cfg.ID {
			return nil, &apiError{"ResourceNotFoundException", "User pool " + in.poolID() + " does not exist."}
		}
		return f(ctx, p, in)
	}}
}

// signed makes an admin operation of one that names no pool.
func signed(o operation) operation {
	o.admin = true
	return o
}

func public[In, Out any](f func(context.Context, *Pool, In) (Out, error)) operation {
	return operation{run: func(ctx context.Context, p *Pool, body []byte) (any, error) {
		in, err := decodeInput[In](body)
		if err != nil {
			return nil, err
		}
		return f(ctx, p, in)
	}}
}

// decodeInput reads the body of a request. Members that the pool does not know are ignored.
func decodeInput[In any](body []byte) (In, error) {
	var in In
	if err := exactjson.Unmarshal(body, &in); err != nil {
		return in, &apiError{"SerializationException", "The body is not the JSON that the operation takes"}
	}
	return in, checkRequired(reflect.ValueOf(in))
}

// checkRequired refuses an input without a member that is tagged as required.
func checkRequired(v reflect.Value) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			if err := checkRequired(v.Field(i)); err != nil {
				return err
			}
		}
		if field.Tag.Get("api") != "required" || !v.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		name = string(unicode.ToLower(rune(name[0]))) + name[1:]
		return invalidParameter("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
	}
	return nil
}

// empty is the output {}; nothing is no body at all.
type (
	empty   struct{}
	nothing struct{}
)

// apiHandler serves the cognito-idp JSON 1.1 API: POST / with X-Amz-Target. Signatures are not checked.
func (p *Pool) apiHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-amzn-requestid", newUUID())
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("Cache-Control", "no-store")
		out, err := p.serveOperation(w, r)
		if err != nil {
			p.writeAPIError(w, err)
			return
		}
		if _, ok := out.(nothing); ok {
			return
		}
		body, err := json.Marshal(out)
		if err != nil {
			p.writeAPIError(w, err)
			return
		}
		_, _ = w.Write(body)
	})
}

func (p *Pool) serveOperation(w http.ResponseWriter, r *http.Request) (any, error) {
	name, ok := strings.CutPrefix(r.Header.Get(targetHeader), targetPrefix)
	op, known := operations[name]
	if !ok || !known {
		return nil, &apiError{"UnknownOperationException", "The fake pool does not know this operation"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &apiError{"SerializationException", "The body cannot be read or is larger than 1 MiB"}
	}
	if op.admin && !strings.HasPrefix(r.Header.Get("Authorization"), signedPrefix) {
		return nil, &apiError{"MissingAuthenticationTokenException", "Missing Authentication Token"}
	}
	if err := p.apiFault(name); err != nil {
		return nil, err
	}
	out, err := op.run(r.Context(), p, body)
	if err != nil {
		return nil, err
	}
	return p.described(name, out)
}

// apiFault is what the switches make an operation answer.
func (p *Pool) apiFault(name string) error {
	f := p.currentFaults()
	for _, key := range []string{name, "*"} {
		if f.Throttle[key] || p.quotas.exceeded(name, f.Quota[key]) {
			return &apiError{"TooManyRequestsException", "Too many requests"}
		}
		if kind := f.APIError[key]; kind != "" {
			return &apiError{kind, "A fault of the fake pool"}
		}
	}
	return nil
}

// writeAPIError writes an error as the API does: 400, or 500 if it is the service's own fault.
func (p *Pool) writeAPIError(w http.ResponseWriter, err error) {
	var (
		api     *apiError
		trigger *triggerError
		oauth   *oauthError
	)
	switch {
	case errors.As(err, &api):
	case errors.As(err, &trigger):
		api = &apiError{trigger.Type, trigger.Error()}
		if api.Type == "" {
			api.Type = lambdaRefused
		}
	case errors.As(err, &oauth):
		api = notAuthorized(oauth.Description)
	default:
		p.log.Error("ssotest: an API operation", "error", err)
		api = &apiError{"InternalErrorException", "Internal error"}
	}
	status := http.StatusBadRequest
	switch api.Type {
	case "InternalErrorException", "InternalFailure":
		status = http.StatusInternalServerError
	case "ServiceUnavailable":
		status = http.StatusServiceUnavailable
	}
	body, err := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{api.Type, api.Message})
	if err != nil {
		panic(err) // two strings
	}
	w.Header().Set("x-amzn-errortype", api.Type+":")
	w.Header().Set("x-amzn-errormessage", headerText(api.Message))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// headerText is what of a text a header can hold.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// apiTime is a time as JSON 1.1 has it: seconds with a fraction.
type apiTime time.Time

// MarshalJSON writes the number.
func (t apiTime) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(t).UnixMilli()) / 1000)
}

// apiAttribute is a name and a value; one without a value has "".
type apiAttribute struct {
	Name  string
	Value string
}

// changeOf makes a change of a list of attributes.
func changeOf(list []apiAttribute) (change, error) {
	ch := make(change, len(list))
	for _, a := range list {
		if a.Name == "" || len(a.Name) > 32 {
			return nil, invalidParameter("1 validation error detected: Value at 'userAttributes' failed to satisfy constraint: an attribute's name has 1 to 32 characters")
		}
		ch[a.Name] = a.Value
	}
	return ch, nil
}
