// Package awsenv is the AWS configuration of a Lambda function, from what
// Lambda puts into its environment: the region, the role's credentials, and
// other endpoints if AWS_ENDPOINT_URL… name any.
//
// The SDK's own loader would look for profiles, tokens and a metadata service
// too. None of these is in a function, so that would cost a larger program, a
// longer start, and, where a variable is missing, seconds of waiting for a
// metadata service that does not answer.
package awsenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
)

// Load reads the environment; it calls nothing. Errors name every variable
// that is missing.
func Load() (aws.Config, error) {
	var errs []error
	need := func(name string) string {
		v := os.Getenv(name)
		if v == "" {
			errs = append(errs, fmt.Errorf("%s: required (Lambda sets it)", name))
		}
		return v
	}
	cfg := aws.Config{
		Region:        need("AWS_REGION"),
		Credentials:   credentials.NewStaticCredentialsProvider(need("AWS_ACCESS_KEY_ID"), need("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		ConfigSources: []any{endpoints{}},
		HTTPClient:    awshttp.NewClient(),
	}
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg, errors.Join(errs...)
}

// endpoints is what the SDK's services look for in ConfigSources when a client
// is made.
type endpoints struct{}

// GetServiceBaseEndpoint is AWS_ENDPOINT_URL_SQS for the service "SQS".
func (endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	v := os.Getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_")))
	return v, v != "", nil
}

// GetUseDualStackEndpoint is AWS_USE_DUALSTACK_ENDPOINT.
func (endpoints) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	if os.Getenv("AWS_USE_DUALSTACK_ENDPOINT") == "true" {
		return aws.DualStackEndpointStateEnabled, true, nil
	}
	return aws.DualStackEndpointStateUnset, false, nil
}

// GetUseFIPSEndpoint is AWS_USE_FIPS_ENDPOINT.
func (endpoints) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	if os.Getenv("AWS_USE_FIPS_ENDPOINT") == "true" {
		return aws.FIPSEndpointStateEnabled, true, nil
	}
	return aws.FIPSEndpointStateUnset, false, nil
}
