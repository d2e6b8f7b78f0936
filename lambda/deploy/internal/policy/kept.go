package policy

import (
	"slices"
	"strings"
)

// precious are what cannot be made again: people, the keys to what is kept, and
// what was written about them.
var precious = []string{
	"AWS::Cognito::UserPool", "AWS::Cognito::UserPoolDomain", "AWS::Cognito::UserPoolIdentityProvider", "AWS::Cognito::UserPoolGroup",
	"AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SQS::Queue", "AWS::CloudFormation::Stack",
}

// kept: no update and no deletion of a stack takes them away.
func kept(s *subject) []string {
	var say said
	for _, kind := range precious {
		for _, r := range s.Of(kind) {
			if r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
				say.f("%s is not retained", r.Path())
			}
		}
	}
	if s.pool().Properties["DeletionProtection"] != "ACTIVE" {
		say.f("the pool can be deleted")
	}
	return say
}

// secrets: none is written down, in a template or in an environment.
func secrets(s *subject) []string {
	var say said
	for _, p := range s.Of("AWS::Cognito::UserPoolIdentityProvider") {
		if v := text(object(p.Properties["ProviderDetails"])["client_secret"]); !strings.HasPrefix(v, "{{resolve:secretsmanager:arn:") {
			say.f("%s has a secret that does not come from Secrets Manager", p.Path())
		}
	}
	for _, f := range s.functions() {
		for name, v := range object(object(f.Properties["Environment"])["Variables"]) {
			if slices.Contains([]string{"SSO_DB_PASSWORD", "SSO_DB_INSECURE_NO_TLS"}, name) || strings.Contains(text(v), "{{resolve:") {
				say.f("%s: %s would be in its configuration for everybody who may read it", f.Path(), name)
			}
		}
	}
	return say
}
