package main

import (
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// config is the environment, read.
type config struct {
	triggers lambda.Config // without what must be opened
	store    settings.Store
	queueURL string
}

func read(r *settings.Reader) config {
	c := config{
		triggers: lambda.Config{
			Providers:                  r.List("SSO_PROVIDERS"),
			AllowNativeSignUp:          r.Flag("SSO_ALLOW_NATIVE_SIGN_UP"),
			AllowedEmailDomains:        r.List("SSO_ALLOWED_EMAIL_DOMAINS"),
			EmailDomainExempt:          r.List("SSO_EMAIL_DOMAIN_EXEMPT"),
			AllowUnverifiedEmailDomain: r.Flag("SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN"),
			UserIDAttribute:            r.Text("SSO_USER_ID_ATTRIBUTE"),
			AllowMissingUserID:         r.Flag("SSO_ALLOW_MISSING_USER_ID"),
			UserIDSource:               lambda.UserIDSource(r.OneOf("SSO_USER_ID_SOURCE", string(lambda.AttributeFirst), string(lambda.AlwaysStore))),
			RefuseMismatch:             r.Flag("SSO_REFUSE_MISMATCH"),
			SendTimeout:                r.Duration("SSO_SEND_TIMEOUT"),
			AttributeTimeout:           r.Duration("SSO_ATTRIBUTE_TIMEOUT"),
			Deadline:                   r.Duration("SSO_DEADLINE"),
		},
		queueURL: r.QueueURL("SSO_SIGNIN_QUEUE_URL"),
		store:    r.Store(settings.Remote, settings.Remote, settings.Postgres, settings.MySQL, settings.SQLite),
	}
	if r.OneOf("SSO_LANGUAGE", "en", "ko") == "ko" {
		c.triggers.Texts = lambda.KoreanTexts()
	}
	r.Explain(check(c.triggers), variables)
	return c
}

// variables is field of lambda.Config → variable.
var variables = map[string]string{
	"Providers": "SSO_PROVIDERS", "AllowedEmailDomains": "SSO_ALLOWED_EMAIL_DOMAINS", "EmailDomainExempt": "SSO_EMAIL_DOMAIN_EXEMPT",
	"UserIDAttribute": "SSO_USER_ID_ATTRIBUTE", "UserIDSource": "SSO_USER_ID_SOURCE", "RefuseMismatch": "SSO_REFUSE_MISMATCH",
	"SendTimeout": "SSO_SEND_TIMEOUT", "AttributeTimeout": "SSO_ATTRIBUTE_TIMEOUT", "Deadline": "SSO_DEADLINE",
}

// check finds the rest of what is wrong before anything is opened, with
// stand-ins for what will be.
func check(cfg lambda.Config) error {
	cfg.Users, cfg.Attributes, cfg.SignIns = struct{ users.Store }{}, lambda.NewCognitoAttributes(nil), lambda.NewSQSSignIns(nil, "")
	_, err := lambda.NewTriggers(cfg)
	return err
}
