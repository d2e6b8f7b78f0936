package deploy_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	cognitotypes "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
)

// deployed is what AWS would show of a deployment, if it made exactly what the
// templates say. It answers the calls of the doctor.
type deployed struct {
	*variant.Deployment
	t *testing.T
}

// shown makes the SDK's type of a resource's properties, whose names are the
// API's. CloudFormation takes numbers as text, too.
func shown[T any](d deployed, properties any) *T {
	d.t.Helper()
	raw, err := json.Marshal(numbers(properties))
	if err != nil {
		d.t.Fatal(err)
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		d.t.Fatalf("%T: %v in %s", out, err, raw)
	}
	return out
}

// numeric are the properties that are numbers in the API.
var numeric = []string{
	"AccessTokenValidity", "IdTokenValidity", "RefreshTokenValidity", "RetryGracePeriodSeconds", "ManagedLoginVersion",
	"Timeout", "MemorySize", "MaximumBatchingWindowInSeconds", "MaximumConcurrency", "BatchSize", "MinimumLength", "TemporaryPasswordValidityDays",
}

func numbers(v any) any {
	switch v := v.(type) {
	case template.Object:
		out := template.Object{}
		for key, value := range v {
			if slices.Contains(numeric, key) {
				value = json.Number(fmt.Sprint(value))
			}
			out[key] = numbers(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = numbers(v[i])
		}
		return out
	}
	return v
}

// client is a client by the path of its resource, which stands for its id: the
// templates' own are the same in every app's stack.
func (d deployed) client(path string) *template.Resource {
	for _, c := range d.Of("AWS::Cognito::UserPoolClient") {
		if c.Path() == path {
			return c
		}
	}
	d.t.Fatal("no client " + path)
	return nil
}

// --- Cognito

func (d deployed) DescribeUserPool(context.Context, *cognitoidentityprovider.DescribeUserPoolInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeUserPoolOutput, error) {
	pool := d.Of("AWS::Cognito::UserPool")[0]
	properties := maps.Clone(pool.Properties)
	// AWS adds what every pool has, and the prefix of what is its owner's.
	attributes := []any{}
	for _, name := range []string{"email", "email_verified", "name"} {
		attributes = append(attributes, template.Object{"Name": name, "Mutable": true})
	}
	schema, _ := properties["Schema"].([]any)
	for _, item := range schema {
		a := maps.Clone(item.(template.Object))
		a["Name"] = "custom:" + fmt.Sprint(a["Name"])
		attributes = append(attributes, a)
	}
	properties["SchemaAttributes"] = attributes
	out := shown[cognitotypes.UserPoolType](d, properties)
	out.Arn = aws.String(fmt.Sprint(d.Main().Nested["Identity"].Outputs["UserPoolArn"]))
	for _, domain := range d.Of("AWS::Cognito::UserPoolDomain") {
		out.Domain = aws.String(fmt.Sprint(domain.Properties["Domain"]))
	}
	return &cognitoidentityprovider.DescribeUserPoolOutput{UserPool: out}, nil
}

func (d deployed) ListUserPoolClients(context.Context, *cognitoidentityprovider.ListUserPoolClientsInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.ListUserPoolClientsOutput, error) {
	out := &cognitoidentityprovider.ListUserPoolClientsOutput{}
	for _, c := range d.Of("AWS::Cognito::UserPoolClient") {
		out.UserPoolClients = append(out.UserPoolClients, cognitotypes.UserPoolClientDescription{ClientId: aws.String(c.Path())})
	}
	return out, nil
}

func (d deployed) DescribeUserPoolClient(_ context.Context, in *cognitoidentityprovider.DescribeUserPoolClientInput, _ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeUserPoolClientOutput, error) {
	c := d.client(*in.ClientId)
	out := shown[cognitotypes.UserPoolClientType](d, c.Properties)
	if c.Properties["GenerateSecret"] == true {
		out.ClientSecret = aws.String("made by AWS")
	}
	return &cognitoidentityprovider.DescribeUserPoolClientOutput{UserPoolClient: out}, nil
}

func (d deployed) ListIdentityProviders(context.Context, *cognitoidentityprovider.ListIdentityProvidersInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.ListIdentityProvidersOutput, error) {
	out := &cognitoidentityprovider.ListIdentityProvidersOutput{}
	for _, p := range d.Of("AWS::Cognito::UserPoolIdentityProvider") {
		out.Providers = append(out.Providers, *shown[cognitotypes.ProviderDescription](d, p.Properties))
	}
	return out, nil
}

func (d deployed) DescribeIdentityProvider(_ context.Context, in *cognitoidentityprovider.DescribeIdentityProviderInput, _ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeIdentityProviderOutput, error) {
	for _, p := range d.Of("AWS::Cognito::UserPoolIdentityProvider") {
		if p.Properties["ProviderName"] == *in.ProviderName {
			return &cognitoidentityprovider.DescribeIdentityProviderOutput{IdentityProvider: shown[cognitotypes.IdentityProviderType](d, p.Properties)}, nil
		}
	}
	return nil, &cognitotypes.ResourceNotFoundException{}
}

func (d deployed) DescribeUserPoolDomain(context.Context, *cognitoidentityprovider.DescribeUserPoolDomainInput, ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeUserPoolDomainOutput, error) {
	out := shown[cognitotypes.DomainDescriptionType](d, d.Of("AWS::Cognito::UserPoolDomain")[0].Properties)
	out.Status = cognitotypes.DomainStatusTypeActive
	return &cognitoidentityprovider.DescribeUserPoolDomainOutput{DomainDescription: out}, nil
}

func (d deployed) DescribeManagedLoginBrandingByClient(_ context.Context, in *cognitoidentityprovider.DescribeManagedLoginBrandingByClientInput, _ ...func(*cognitoidentityprovider.Options)) (*cognitoidentityprovider.DescribeManagedLoginBrandingByClientOutput, error) {
	c := d.client(*in.ClientId)
	for _, b := range d.Of("AWS::Cognito::ManagedLoginBranding") {
		if b.Stack == c.Stack && b.Properties["ClientId"] == c.ID {
			return &cognitoidentityprovider.DescribeManagedLoginBrandingByClientOutput{}, nil
		}
	}
	return nil, &cognitotypes.ResourceNotFoundException{}
}

// --- Lambda

func (d deployed) GetFunctionConfiguration(_ context.Context, in *lambda.GetFunctionConfigurationInput, _ ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error) {
	for _, f := range d.Of("AWS::Lambda::Function") {
		if f.ID == nameOf(*in.FunctionName) {
			return shown[lambda.GetFunctionConfigurationOutput](d, template.Object{
				"Timeout": f.Properties["Timeout"], "MemorySize": f.Properties["MemorySize"], "State": "Active",
			}), nil
		}
	}
	return nil, &lambdatypes.ResourceNotFoundException{}
}

// GetPolicy writes the statements as Lambda does.
func (d deployed) GetPolicy(_ context.Context, in *lambda.GetPolicyInput, _ ...func(*lambda.Options)) (*lambda.GetPolicyOutput, error) {
	statements := []any{}
	for _, p := range d.Of("AWS::Lambda::Permission") {
		if nameOf(fmt.Sprint(p.Properties["FunctionName"])) != nameOf(*in.FunctionName) {
			continue
		}
		condition := template.Object{}
		if source, ok := p.Properties["SourceArn"]; ok {
			condition["ArnLike"] = template.Object{"AWS:SourceArn": source}
		}
		if account, ok := p.Properties["SourceAccount"]; ok {
			condition["StringEquals"] = template.Object{"AWS:SourceAccount": account}
		}
		statements = append(statements, template.Object{
			"Effect": "Allow", "Principal": template.Object{"Service": p.Properties["Principal"]}, "Action": p.Properties["Action"], "Condition": condition,
		})
	}
	raw, err := json.Marshal(template.Object{"Statement": statements})
	return &lambda.GetPolicyOutput{Policy: aws.String(string(raw))}, err
}

func (d deployed) ListEventSourceMappings(_ context.Context, in *lambda.ListEventSourceMappingsInput, _ ...func(*lambda.Options)) (*lambda.ListEventSourceMappingsOutput, error) {
	out := &lambda.ListEventSourceMappingsOutput{}
	for _, m := range d.Of("AWS::Lambda::EventSourceMapping") {
		if m.Properties["EventSourceArn"] == *in.EventSourceArn {
			one := shown[lambdatypes.EventSourceMappingConfiguration](d, m.Properties)
			one.FunctionArn = aws.String(fmt.Sprint(m.Properties["FunctionName"]))
			out.EventSourceMappings = append(out.EventSourceMappings, *one)
		}
	}
	return out, nil
}

// nameOf is the name in the ARN of a function, or the name itself.
func nameOf(function string) string { return function[strings.LastIndexByte(function, ':')+1:] }

// --- SQS

func (d deployed) GetQueueUrl(_ context.Context, in *sqs.GetQueueUrlInput, _ ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error) { //nolint:revive // AWS's name
	return &sqs.GetQueueUrlOutput{QueueUrl: aws.String("https://sqs.example.test/" + *in.QueueName)}, nil
}

func (d deployed) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	name := (*in.QueueUrl)[strings.LastIndexByte(*in.QueueUrl, '/')+1:]
	main := d.Main()
	out := map[string]string{"QueueArn": "arn:aws:sqs:" + main.Where.Region + ":" + main.Where.Account + ":" + name}
	for _, q := range d.Of("AWS::SQS::Queue") {
		if q.Properties["QueueName"] != name {
			continue
		}
		for key, value := range q.Properties {
			if o, ok := value.(template.Object); ok {
				raw, err := json.Marshal(o)
				if err != nil {
					d.t.Fatal(err)
				}
				value = string(raw)
			}
			out[key] = fmt.Sprint(value)
		}
	}
	return &sqs.GetQueueAttributesOutput{Attributes: out}, nil
}

// --- the doctor

// keys answers as the pool's key server.
type keys struct{ document string }

func (k keys) RoundTrip(r *http.Request) (*http.Response, error) {
	body := k.document
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		body = `{"issuer":"https://` + r.URL.Host + strings.TrimSuffix(r.URL.Path, "/.well-known/openid-configuration") + `"}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func newKeys(t *testing.T) keys {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return keys{`{"keys":[{"kid":"k","kty":"RSA","use":"sig","alg":"RS256","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(key.N.Bytes()) + `"}]}`}
}

// diagnose asks the doctor about a deployment. It returns the findings, sorted.
func diagnose(t *testing.T, d *variant.Deployment, k keys) (found []doctor.ID) {
	t.Helper()
	cloud := deployed{d, t}
	report, err := doctor.Run(t.Context(), doctor.Config{
		UserPoolID: d.Main().Where.Region + "_Deployed1", Cognito: cloud, Lambda: cloud, SQS: cloud, QueueURL: "https://sqs.example.test/sso-signins",
		Providers: []string{"Kakao", "Google"}, IDTokenOnly: d.Main().Parameters["FeaturePlan"] == "LITE", HTTPClient: &http.Client{Transport: k},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		found = append(found, f.ID)
	}
	slices.Sort(found)
	return found
}

// inherent is what the doctor says of every variant: that mobile of
// variants.yaml has no secret, and a callback on localhost.
var inherent = []doctor.ID{doctor.PublicClient, doctor.URLLocalhost}

// The templates make what the doctor wants, in every variant: else whoever has
// just deployed would be told to change what the next deployment changes back.
func TestDoctorIsContentWithTheTemplates(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	k := newKeys(t)
	for _, name := range f.Names() {
		d, err := f.Evaluate(set, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := diagnose(t, d, k); !slices.Equal(got, inherent) {
			t.Errorf("%s: %v, want %v", name, got, inherent)
		}
	}
}

// What the rules of internal/policy leave to the doctor, it sees.
func TestDoctorSeesMistakesInTheTemplates(t *testing.T) {
	t.Parallel()
	f, set := load(t)
	k := newKeys(t)
	for _, row := range []struct {
		name   string
		change func(template.Set)
		want   []doctor.ID // of portal and mobile, in this order
	}{
		{"no scopes", drop("client", "Client", "AllowedOAuthScopes"), []doctor.ID{doctor.OpenIDMissing, doctor.OpenIDMissing}},
		{"nobody can sign in", drop("client", "Client", "SupportedIdentityProviders"), []doctor.ID{doctor.ClientNoProvider, doctor.ClientNoProvider, doctor.ProviderUnused, doctor.ProviderUnused}},
		{"60 hours, not minutes", drop("client", "Client", "TokenValidityUnits"), []doctor.ID{doctor.AccessTokenLong, doctor.AccessTokenLong}},
		{"no callback", drop("client", "Client", "CallbackURLs"), []doctor.ID{doctor.URLMissing, doctor.URLMissing}},
		{"no page after signing out", drop("client", "Client", "LogoutURLs"), []doctor.ID{doctor.URLMissing, doctor.URLMissing}},
		{"an app with a server and no secret", drop("client", "Client", "GenerateSecret"), []doctor.ID{doctor.PublicClient, doctor.PublicNoRotation}},
		{"a branding for apps with a server only", func(set template.Set) {
			at(set, "client", "Resources", "Branding")["Condition"] = "HasSecret"
		}, []doctor.ID{doctor.BrandingMissing}},
		{"any number of consumers", drop("functions", "SigninsSource", "ScalingConfig"), []doctor.ID{doctor.ConsumerConcurrency}},
		{"Kakao without openid", func(set template.Set) { at(set, "main", "Parameters", "KakaoScopes")["Default"] = "account_email" }, []doctor.ID{doctor.ProviderScopes}},
		{"people may sign themselves up", drop("identity", "UserPool", "AdminCreateUserConfig"), []doctor.ID{doctor.SignUpOpen}},
		{"ids of 10 characters", func(set template.Set) {
			schema, _ := properties(set, "identity", "UserPool")["Schema"].([]any)
			schema[0].(template.Object)["StringAttributeConstraints"].(template.Object)["MaxLength"] = "10"
		}, []doctor.ID{doctor.AttributeLength}},
	} {
		mutant := set.Clone()
		row.change(mutant)
		d, err := f.Evaluate(mutant, "split-postgres")
		if err != nil {
			t.Fatal(err)
		}
		got := diagnose(t, d, k)
		for _, id := range inherent {
			if i := slices.Index(got, id); i >= 0 {
				got = slices.Delete(got, i, i+1)
			}
		}
		slices.Sort(row.want)
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
