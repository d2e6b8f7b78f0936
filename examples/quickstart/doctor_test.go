package main

import (
	"context"
	"database/sql"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// diagnose asks the pool and its triggers what they say of themselves, with
// AWS's SDK, and looks at the table.
func (w *world) diagnose(t *testing.T, change func(*doctor.Config)) doctor.Report {
	t.Helper()
	o := w.cognito.Options()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: w.backend.file}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	verifier := w.pool.VerifierConfig()
	cfg := doctor.Config{
		UserPoolID: w.pool.ID(), Cognito: w.cognito, Providers: []string{"Kakao", "Google"},
		Lambda: lambda.New(lambda.Options{
			Region: o.Region, BaseEndpoint: aws.String(w.pool.URL()), Credentials: o.Credentials, HTTPClient: awshttp.NewClient(),
		}),
		BaseURLs: map[string]string{w.board.clientID: w.board.url, w.desk.clientID: w.desk.url, w.kiosk.clientID: w.kiosk.url},
		JWKSURL:  verifier.JWKSURL, Issuers: verifier.Issuers, InsecureAllowHTTP: true,
		Database: &doctor.Database{
			Users: func(context.Context) (users.Store, error) { return w.backend.users, nil }, Pool: reconcile.NewCognitoPool(w.cognito, w.pool.ID()),
			Providers: []string{"Kakao", "Google"}, Columns: []string{"Kakao", "Google"},
			Plan: func(ctx context.Context) (migrate.Plan, error) {
				return migrate.NewPlan(ctx, db, migrate.SQLite, layout(), migrate.Options{})
			},
		},
	}
	if change != nil {
		change(&cfg)
	}
	report, err := doctor.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// The doctor has nothing to say of this pool, and sees it when that changes.
func TestDoctorIsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freePorts(t))
	report := w.diagnose(t, nil)
	if len(report.Findings) != 0 || report.Clients != 3 || report.Providers != 2 || report.Functions != 4 {
		t.Errorf("%+v", report)
	}
	// Nobody says where the apps are: then localhost is worth a word, and no more.
	report = w.diagnose(t, func(c *doctor.Config) { c.BaseURLs = nil })
	if !report.Clean() || report.Count(doctor.Notice) != 6 {
		t.Errorf("%+v", report)
	}
	for name, row := range map[string]struct {
		change func(*ssotest.Config)
		want   doctor.ID
	}{
		"an app client may write the id": {func(c *ssotest.Config) {
			c.Clients[1].WriteAttributes = append(c.Clients[1].WriteAttributes, "custom:userId")
		}, doctor.AttributeWritable},
		"no trigger at sign-up": {func(c *ssotest.Config) { c.Triggers.PostConfirmation = nil }, doctor.TriggerMissing},
	} {
		cfg := freePorts(t)
		cfg.pool = row.change
		if report := newWorld(t, cfg).diagnose(t, nil); len(report.Findings) != 1 || report.Findings[0].ID != row.want {
			t.Errorf("%s: %+v", name, report.Findings)
		}
	}
}
