// Command calls is a PostConfirmation trigger that does nothing but the two
// calls of a sign-up, one behind the other: the statement that sso-trigger runs
// (BARE_STATEMENT, as it was seen on the wire), and AdminUpdateUserAttributes,
// by the same driver and the same SDK. It checks nothing, and logs nothing.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement has a value for each parameter: {sub}, {subject}, {email} and {name}
// are the user's.
type statement struct {
	SQL    string
	Types  []uint32
	Values []string
}

type event struct {
	UserPoolID string `json:"userPoolId"`
	UserName   string `json:"userName"`
	Request    struct {
		UserAttributes map[string]string `json:"userAttributes"`
	} `json:"request"`
}

type function struct {
	statement statement
	cognito   *cognitoidentityprovider.Client
	conn      *pgconn.PgConn // nil before the first event
}

func main() {
	f := &function{cognito: cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")),
		Credentials:  credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})}
	if err := json.Unmarshal([]byte(os.Getenv("BARE_STATEMENT")), &f.statement); err != nil {
		log.Fatal(err)
	}
	lambda.Start(f.handle)
}

func (f *function) handle(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	id, err := f.ensure(ctx, e.Request.UserAttributes)
	if err != nil {
		return nil, err
	}
	_, err = f.cognito.AdminUpdateUserAttributes(ctx, &cognitoidentityprovider.AdminUpdateUserAttributesInput{
		UserPoolId: &e.UserPoolID, Username: &e.UserName,
		UserAttributes: []types.AttributeType{{Name: aws.String("custom:userId"), Value: &id}},
	})
	return raw, err
}

func (f *function) ensure(ctx context.Context, user map[string]string) (id string, err error) {
	if f.conn == nil {
		if f.conn, err = pgconn.Connect(ctx, os.Getenv("BARE_DATABASE")); err != nil {
			return "", err
		}
	}
	var identities []struct {
		UserID string `json:"userId"`
	}
	if err := json.Unmarshal([]byte(user["identities"]), &identities); err != nil {
		return "", err
	}
	fill := strings.NewReplacer("{sub}", user["sub"], "{subject}", identities[0].UserID, "{email}", user["email"], "{name}", user["name"])
	values := make([][]byte, len(f.statement.Values))
	for i, v := range f.statement.Values {
		values[i] = []byte(fill.Replace(v))
	}
	res := f.conn.ExecParams(ctx, f.statement.SQL, values, f.statement.Types, nil, nil).Read()
	if res.Err != nil {
		return "", res.Err
	}
	return string(res.Rows[0][1]), nil
}
