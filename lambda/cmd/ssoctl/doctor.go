package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"github.com/ssu-itsupport/cognito-sso/lambda/doctor"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

const doctorText = `Looks at the live user pool through the AWS API, and says what is not as this system needs it, why that
matters and what to do: the user id attribute, triggers and who may call them, identity providers, app
clients and their URLs, the domain, the keys; with --queue-url the queue and its consumer, with
--with-database the user table. It changes nothing. docs/doctor.md explains every finding.

It reads SSO_USER_POOL_ID, and if they are set SSO_PROVIDERS, SSO_USER_ID_ATTRIBUTE, SSO_SIGNIN_QUEUE_URL,
and for a pool that is not AWS's own SSO_JWKS_URL, SSO_ISSUERS and SSO_INSECURE_ALLOW_HTTP;
with --with-database also what reconcile reads. "ssoctl help environment" explains them.

Exit status 1 is an error or a warning, with --strict also a notice; 3 is that something could not be asked,
and nothing that could is wrong.
`

type doctorFlags struct {
	clients, baseURLs                                                           []string
	queueURL                                                                    string
	withDatabase, idTokenOnly, skipFunctions, asJSON, strict, noProgress, print bool
}

func (c *cli) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "say what of the live pool is not as it must be", Long: doctorText, Args: noArguments,
		Example: "  ssoctl doctor --client 1example23456789 --base-url https://board.example.ac.kr\n  ssoctl doctor --with-database --queue-url https://sqs.ap-northeast-2.amazonaws.com/111122223333/sso-signins",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.clients, "client", nil, "look at the app client `ID` only; may be given several times (default all of the pool's)")
	fs.StringArrayVar(&f.baseURLs, "base-url", nil, "`CLIENT=URL` where the client's app is reached, so that its callback and logout URLs are compared; with one --client just the URL")
	fs.StringVar(&f.queueURL, "queue-url", "", "look at the queue of sign-ins at `URL` too (default SSO_SIGNIN_QUEUE_URL)")
	fs.BoolVar(&f.withDatabase, "with-database", false, "look at the user table too, and compare a sample of users with it")
	fs.BoolVar(&f.idTokenOnly, "id-token-only", false, "the claim is wanted in ID tokens only, as on the plan Lite")
	fs.BoolVar(&f.skipFunctions, "skip-functions", false, "do not ask the Lambda API for the functions")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	fs.BoolVar(&f.strict, "strict", false, "exit status 1 for notices too")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no progress bar, on a terminal neither")
	fs.BoolVar(&f.print, "print-policy", false, "print the least IAM policy that these flags need, and ask nothing")
	return cmd
}

func (c *cli) doctor(ctx context.Context, f doctorFlags) error {
	e, err := c.doctorEnvironment(f)
	if err != nil {
		return err
	}
	cfg, err := f.config(e)
	if err != nil {
		return err
	}
	if err := f.reach(ctx, &cfg); err != nil {
		return err
	}
	if f.print {
		return c.printPolicy(f, cfg)
	}
	if f.withDatabase {
		database, done, err := openDatabase(ctx, e)
		if err != nil {
			return err
		}
		defer done()
		cfg.Database = database
	}
	return c.runDoctor(ctx, f, cfg)
}

// printPolicy is for the checks that the flags ask for; no database is opened.
func (c *cli) printPolicy(f doctorFlags, cfg doctor.Config) error {
	if f.withDatabase {
		cfg.Database = &doctor.Database{}
	}
	text, err := doctor.Policy(cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.out, text)
	return err
}

// doctorSettings is the environment of the command.
type doctorSettings struct {
	environment
	queueURL, jwksURL string
	issuers           []string
	insecure          bool
}

// doctorEnvironment reads what is the doctor's own, and the rest as reconcile
// does if the table is looked at.
func (c *cli) doctorEnvironment(f doctorFlags) (doctorSettings, error) {
	r := settings.NewReader(c.environ)
	s := doctorSettings{queueURL: f.queueURL, jwksURL: r.Text("SSO_JWKS_URL"), issuers: r.List("SSO_ISSUERS"), insecure: r.Flag("SSO_INSECURE_ALLOW_HTTP")}
	if s.queueURL == "" {
		s.queueURL = r.Text("SSO_SIGNIN_QUEUE_URL")
	}
	s.pool = poolSettings{r.Required("SSO_USER_POOL_ID"), r.Text("SSO_USER_ID_ATTRIBUTE"), r.List("SSO_PROVIDERS")}
	if err := r.Err(); err != nil {
		return s, fmt.Errorf("%w: the environment is not complete (\"ssoctl help environment\" explains it):\n%w", errUsage, err)
	}
	if !f.withDatabase || f.print {
		return s, nil
	}
	var err error
	s.environment, err = c.environment(true)
	return s, err
}

func (f doctorFlags) config(s doctorSettings) (doctor.Config, error) {
	cfg := doctor.Config{
		UserPoolID: s.pool.id, ClientIDs: f.clients, Providers: s.pool.providers, UserIDAttribute: s.pool.attribute,
		QueueURL: s.queueURL, IDTokenOnly: f.idTokenOnly, JWKSURL: s.jwksURL, Issuers: s.issuers, InsecureAllowHTTP: s.insecure,
		BaseURLs: map[string]string{},
	}
	if f.withDatabase {
		cfg.IDLength = idLength[s.store.Table.Complete().IDType]
	}
	for _, text := range f.baseURLs {
		id, url, ok := strings.Cut(text, "=")
		if !ok && len(f.clients) == 1 {
			id, url = f.clients[0], text
		} else if !ok {
			return cfg, fmt.Errorf("%w: --base-url: %q is not of the form CLIENT=URL", errUsage, text)
		}
		cfg.BaseURLs[id] = url
	}
	return cfg, nil
}

// idLength is how long an id of each type may be.
var idLength = map[table.IDType]int{table.UUID: 36, table.Text: 255}

// reach makes the clients of AWS, of the pool's region.
func (f doctorFlags) reach(ctx context.Context, cfg *doctor.Config) error {
	region, _, _ := strings.Cut(cfg.UserPoolID, "_")
	sdk, err := awsConfig(ctx, awsconfig.WithRegion(region))
	if err != nil {
		return err
	}
	cfg.Cognito = cognitoidentityprovider.NewFromConfig(sdk)
	if !f.skipFunctions {
		cfg.Lambda = awslambda.NewFromConfig(sdk)
	}
	if cfg.QueueURL != "" {
		cfg.SQS = newSQS(sdk, cfg.QueueURL)
	}
	return nil
}

// newSQS asks the region that the queue's address names, which its ARN does too.
func newSQS(sdk aws.Config, url string) *sqs.Client {
	_, rest, _ := strings.Cut(url, "://sqs.")
	region, _, ok := strings.Cut(rest, ".")
	return sqs.NewFromConfig(sdk, func(o *sqs.Options) {
		if ok && region != "" {
			o.Region = region
		}
	})
}

// openDatabase prepares to look at the table: its columns first, as a store of
// SQLite adds what its table lacks.
func openDatabase(ctx context.Context, e doctorSettings) (*doctor.Database, func(), error) {
	pool, err := openPool(ctx, e.pool)
	if err != nil {
		return nil, nil, err
	}
	var open []io.Closer
	done := func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	rc := reconcileFlags{}.config(e.environment, pool, nil)
	d := &doctor.Database{Pool: pool, Providers: rc.Providers, Columns: rc.Columns, Users: func(ctx context.Context) (users.Store, error) {
		s, err := openStore(ctx, e.store)
		if err != nil {
			return nil, err
		}
		open = append(open, s)
		return s, nil
	}}
	if e.store.Kind == settings.Remote {
		return d, done, nil
	}
	db, dialect, err := openDB(ctx, e.store, false)
	if err != nil {
		return nil, nil, err
	}
	open = append(open, db)
	d.Plan = func(ctx context.Context) (migrate.Plan, error) {
		return migrate.NewPlan(ctx, db, dialect, e.store.Table, migrate.Options{})
	}
	return d, done, nil
}

func (c *cli) runDoctor(ctx context.Context, f doctorFlags, cfg doctor.Config) error {
	bar := newBar(c.err, f.noProgress)
	cfg.OnProgress = func(p doctor.Progress) {
		bar.show(reconcile.Progress{Phase: doctorPhase, Done: p.Done, Total: p.Total})
	}
	report, err := doctor.Run(ctx, cfg)
	bar.clear()
	switch {
	case errors.Is(err, doctor.ErrConfig):
		return fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	d := diagnose(report, f.strict)
	if f.asJSON {
		err = c.json(doctorJSON{d == well, cfg.UserPoolID, countFindings(report), report})
	} else {
		err = c.printDoctor(report, cfg.UserPoolID, d)
	}
	if err != nil {
		return err
	}
	return d.err()
}

// verdict is what a report comes to.
type diagnosis int

const (
	well diagnosis = iota
	notWell
	unclear
)

func diagnose(r doctor.Report, strict bool) diagnosis {
	switch {
	case r.Count(doctor.Error) > 0, r.Count(doctor.Warning) > 0, strict && r.Count(doctor.Notice) > 0:
		return notWell
	case r.Count(doctor.Unknown) > 0:
		return unclear
	}
	return well
}

func (d diagnosis) err() error {
	switch d {
	case notWell:
		return errDrift
	case unclear:
		return errors.New("not everything could be asked")
	}
	return nil
}

// doctorJSON is part of this program's interface.
type doctorJSON struct {
	OK    bool                    `json:"ok"` // as the exit status
	Pool  string                  `json:"pool"`
	Count map[doctor.Severity]int `json:"count"`
	doctor.Report
}

func countFindings(r doctor.Report) map[doctor.Severity]int {
	n := map[doctor.Severity]int{}
	for _, s := range doctor.Severities {
		n[s] = r.Count(s)
	}
	return n
}
