package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/migrate"
)

// Config says what to look at, and what is wanted. It is copied.
type Config struct {
	// UserPoolID is such as ap-northeast-2_AbCdEfGhI. Required.
	UserPoolID string
	// Cognito asks the pool. Required.
	Cognito Cognito
	// Lambda asks for the functions of triggers and queue. Defaults to nil:
	// they are not looked at, and the report says so.
	Lambda Lambda
	// SQS asks for QueueURL, and is required with it.
	SQS SQS
	// QueueURL is the queue of sign-ins. Defaults to "": no queue is looked at,
	// and the report says so.
	QueueURL string
	// Database is the user table. Defaults to nil: it is not looked at, and the
	// report says so.
	Database *Database

	// ClientIDs are the app clients to look at. Defaults to all of the pool's.
	// That no client may write the attribute is looked at only in these.
	ClientIDs []string
	// BaseURLs are where apps are reached, by client id: an app's callback and
	// logout URLs must be below it. Defaults to none: then the form of URLs is
	// looked at only.
	BaseURLs map[string]string
	// Providers are the identity providers that the pool must have, by their
	// exact names. Defaults to none: those that it has are looked at.
	Providers []string
	// UserIDAttribute is the pool's attribute for the row id. Defaults to
	// "custom:userId".
	UserIDAttribute string
	// IDLength is how many characters an id of a row may have. Defaults to 20,
	// as a 64-bit integer; a UUID has 36.
	IDLength int
	// IDTokenOnly says that the claim is wanted in ID tokens only, which all
	// feature plans can do. Defaults to false: in access tokens too.
	IDTokenOnly bool
	// BacklogLimit is how many messages may wait in the queue. Defaults to
	// 1000.
	BacklogLimit int

	// JWKSURL is where the pool's keys are. Defaults to Cognito's address for
	// the pool's issuer; set it for a pool that is not AWS's own.
	JWKSURL string
	// Issuers are further values of iss that the apps accept. Defaults to none:
	// the two of AWS.
	Issuers []string
	// InsecureAllowHTTP allows http in JWKSURL: for a pool on this machine
	// only. It MUST NOT be set for any other. Defaults to false.
	InsecureAllowHTTP bool
	// HTTPClient fetches the keys and the discovery document. Defaults to one
	// that waits for 10 seconds and follows no redirect.
	HTTPClient *http.Client

	// OnProgress is told before every call how many are done. Defaults to
	// nothing.
	OnProgress func(Progress)
}

// Database is the user table, and how much of it to look at.
type Database struct {
	// Plan says what the table lacks, such as by migrate.NewPlan. Defaults to
	// nil, for a table behind a function: its columns are not looked at.
	Plan func(context.Context) (migrate.Plan, error)
	// Users opens the table, which is compared with Pool. Both are required.
	// It is called only if Plan has found nothing lacking: a store may complete
	// its table as it opens it. Nothing is written, and the caller closes it.
	Users func(context.Context) (users.Store, error)
	Pool  reconcile.Pool
	// Providers and Columns are as in reconcile.Config. Providers are required.
	Providers, Columns []string
	// Sample is at least how many users of the pool are compared with their
	// rows, if there are as many; it ends with a page. Defaults to 300.
	Sample int
}

// Progress is how far a run is.
type Progress struct {
	// Done of Total calls. Total grows while more becomes known.
	Done, Total int
	// Doing is what is asked now, such as "DescribeUserPool".
	Doing string
}

func (c Config) withDefaults() Config {
	c.ClientIDs, c.Providers, c.Issuers = slices.Clone(c.ClientIDs), slices.Clone(c.Providers), slices.Clone(c.Issuers)
	c.BaseURLs = maps.Clone(c.BaseURLs)
	if c.UserIDAttribute == "" {
		c.UserIDAttribute = "custom:userId"
	}
	if c.IDLength == 0 {
		c.IDLength = 20
	}
	if c.BacklogLimit == 0 {
		c.BacklogLimit = 1000
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.Database != nil {
		d := *c.Database
		if d.Sample == 0 {
			d.Sample = 300
		}
		c.Database = &d
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
		}
	}
	region, rest, ok := strings.Cut(c.UserPoolID, "_")
	bad(!ok || region == "" || rest == "", "UserPoolID: %q is not of the form ap-northeast-2_AbCdEfGhI", c.UserPoolID)
	bad(c.Cognito == nil, "Cognito: required")
	bad(c.QueueURL != "" && c.SQS == nil, "SQS: required with QueueURL")
	bad(!strings.HasPrefix(c.UserIDAttribute, "custom:"), "UserIDAttribute: %q does not begin with custom:", c.UserIDAttribute)
	bad(c.IDLength < 1 || c.IDLength > 2048, "IDLength: %d is not in 1…2048", c.IDLength)
	bad(c.BacklogLimit < 0, "BacklogLimit: %d is negative", c.BacklogLimit)
	for id, base := range c.BaseURLs {
		u, err := url.Parse(base)
		bad(err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && !isLocal(u)),
			"BaseURLs: that of client %q is not an https URL without a query (http for localhost only)", id)
		bad(len(c.ClientIDs) > 0 && !slices.Contains(c.ClientIDs, id), "BaseURLs: client %q is none of ClientIDs", id)
	}
	if c.JWKSURL != "" {
		u, err := url.Parse(c.JWKSURL)
		bad(err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !c.InsecureAllowHTTP)),
			"JWKSURL: not an https URL (InsecureAllowHTTP allows http, for a pool on this machine)")
	}
	if d := c.Database; d != nil {
		bad(d.Users == nil || d.Pool == nil || len(d.Providers) == 0, "Database: Users, Pool and Providers are required")
		bad(d.Sample < 0, "Database.Sample: %d is negative", d.Sample)
	}
	return errors.Join(errs...)
}

// region is the one in the pool's id.
func (c Config) region() string {
	region, _, _ := strings.Cut(c.UserPoolID, "_")
	return region
}
