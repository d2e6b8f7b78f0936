package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/inspect"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/redrive"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

func (c *cli) queueCommand() *cobra.Command {
	return group("queue", "look after the queue of sign-ins", c.redriveCommand())
}

const redriveText = `Looks at every message in the dead-letter queue and says what it is: a sign-in that died of an outage
and can be recorded now, or one that never can be. With --apply the good ones go back to the queue.
Each is sent before it is deleted, so none is lost; one that arrives twice does no harm. Interrupted,
run it again.

While it looks, nobody else sees the messages, for --hold at most; those that stay are let go in the
end. Looking counts as a receive, which matters only to a dead-letter queue that has one of its own.

--queue is the queue of sign-ins, not the dead one, which is found by the queue's redrive policy. It
needs sqs:GetQueueAttributes and sqs:GetQueueUrl, on the dead-letter queue sqs:ReceiveMessage,
sqs:DeleteMessage and sqs:ChangeMessageVisibility, and on the queue sqs:SendMessage.

Exit status: 0 nothing is left in the dead-letter queue; 1 something is, see the table; 2 a mistake in
flags or environment; 3 could not finish: SQS or the table is out of reach, or interrupted.
`

type redriveFlags struct {
	queue, unreadable                    string
	apply, asJSON, checkSubs, noProgress bool
	limit                                int
	maxAge, hold                         time.Duration
}

func (c *cli) redriveCommand() *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use: "redrive", Short: "say why messages are dead, and take the good ones back with --apply", Long: redriveText, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.redrive(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.queue, "queue", "", "`URL` of the queue of sign-ins (default SSO_SIGNIN_QUEUE_URL)")
	fs.BoolVar(&f.apply, "apply", false, "move the good ones back to the queue")
	fs.StringVar(&f.unreadable, "delete-unreadable", "", "with --apply: write what is no sign-in to the new `FILE`, with mode 0600, and delete it")
	fs.BoolVar(&f.checkSubs, "check-subs", false, "leave sign-ins of people without a row; needs the table's environment")
	fs.DurationVar(&f.maxAge, "max-age", 0, "leave messages that were sent longer ago than this, 0 for none")
	fs.IntVar(&f.limit, "limit", 0, "look at `N` messages at most, 0 for all")
	fs.DurationVar(&f.hold, "hold", 10*time.Minute, "hide messages from others for this long: longer than the run takes, at most 12h")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no progress bar, on a terminal neither")
	return cmd
}

func (f redriveFlags) check() error {
	switch {
	case f.queue == "":
		return fmt.Errorf("%w: --queue, or SSO_SIGNIN_QUEUE_URL: required", errUsage)
	case strings.HasSuffix(f.queue, ".fifo"):
		return fmt.Errorf("%w: --queue: a FIFO queue is not supported", errUsage)
	case f.unreadable != "" && !f.apply:
		return fmt.Errorf("%w: --delete-unreadable deletes only together with --apply", errUsage)
	case f.limit < 0:
		return fmt.Errorf("%w: --limit: %d is negative", errUsage, f.limit)
	case f.maxAge < 0:
		return fmt.Errorf("%w: --max-age: %v is negative", errUsage, f.maxAge)
	case f.hold < 10*time.Second || f.hold > 12*time.Hour:
		return fmt.Errorf("%w: --hold: expected 10s to 12h", errUsage)
	}
	if u, err := url.Parse(f.queue); err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return fmt.Errorf("%w: --queue: expected the queue's URL", errUsage)
	}
	return nil
}

func (c *cli) redrive(ctx context.Context, f redriveFlags) error {
	r := settings.NewReader(c.environ)
	if f.queue == "" {
		f.queue = r.Text("SSO_SIGNIN_QUEUE_URL")
	}
	if err := f.check(); err != nil {
		return err
	}
	cfg := redrive.Config{QueueURL: f.queue, Apply: f.apply, Limit: f.limit, MaxAge: f.maxAge, Hold: f.hold}
	if f.checkSubs {
		table, err := openSubs(ctx, r)
		if err != nil {
			return err
		}
		defer func() { _ = table.Close() }()
		cfg.Known = known(table)
	}
	api, err := openQueue(ctx, f.queue)
	if err != nil {
		return err
	}
	if cfg.DeadLetterURL, err = deadLetterQueue(ctx, api, f.queue); err != nil {
		return err
	}
	cfg.API = api
	if f.unreadable != "" {
		file, err := os.OpenFile(f.unreadable, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("%w: --delete-unreadable: %w", errUsage, cause(err))
		}
		defer func() { closeOrRemove(file) }()
		cfg.Unreadable = file
	}
	bar := c.countBar(f.noProgress)
	cfg.OnProgress = bar.show
	report, err := redrive.Run(ctx, cfg)
	bar.clear()
	return c.endRedrive(f, report, err)
}

// closeOrRemove leaves no empty file behind, which would be in the way of the
// next run.
func closeOrRemove(file *os.File) {
	if info, err := file.Stat(); err == nil && info.Size() == 0 {
		_ = os.Remove(file.Name())
	}
	_ = file.Close()
}

// cause is a file error without the operation.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", at.Path, at.Err)
	}
	return err
}

// openSubs opens the table to look for subs in, from afar too.
func openSubs(ctx context.Context, r *settings.Reader) (store, error) {
	s := r.Store("", settings.Postgres, settings.MySQL, settings.SQLite, settings.Remote)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: --check-subs: the environment is not complete (\"ssoctl help environment\" explains it):\n%w", errUsage, err)
	}
	table, err := openStore(ctx, s)
	if err != nil {
		return nil, storeError(err)
	}
	return table, nil
}

func known(table users.Store) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, sub string) (bool, error) {
		_, err := table.IDBySub(ctx, sub)
		if errors.Is(err, users.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
}

// queueRegion is in the host of a queue's URL.
var queueRegion = regexp.MustCompile(`^(?:https?://)?sqs\.([a-z0-9-]+)\.amazonaws\.com`)

func openQueue(ctx context.Context, queue string) (*sqs.Client, error) {
	var options []func(*awsconfig.LoadOptions) error
	if found := queueRegion.FindStringSubmatch(queue); found != nil {
		options = append(options, awsconfig.WithRegion(found[1]))
	}
	cfg, err := awsConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	return sqs.NewFromConfig(cfg), nil
}

// deadLetterQueue finds it by the queue's redrive policy.
func deadLetterQueue(ctx context.Context, api *sqs.Client, queue string) (string, error) {
	got, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy}})
	if err != nil {
		return "", called("GetQueueAttributes", err)
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	_ = json.Unmarshal([]byte(got.Attributes[string(types.QueueAttributeNameRedrivePolicy)]), &policy)
	arn := strings.Split(policy.Target, ":") // arn:aws:sqs:region:account:name
	if len(arn) != 6 {
		return "", fmt.Errorf("%w: --queue has no dead-letter queue. Is it the dead-letter queue itself? Name the queue of sign-ins", errUsage)
	}
	found, err := api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &arn[5], QueueOwnerAWSAccountId: &arn[4]})
	if err != nil {
		return "", called("GetQueueUrl", err)
	}
	return aws.ToString(found.QueueUrl), nil
}

// called is a failed call as short as it is of use.
func called(op string, err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Errorf("%s: %s", op, api.ErrorCode())
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return fmt.Errorf("%s: %w", op, err)
}

// countBar counts messages; nobody knows how many there are.
type countBar struct{ now *progressbar.ProgressBar }

func (c *cli) countBar(off bool) countBar {
	w := newBar(c.err, off).w
	if w == nil {
		return countBar{}
	}
	return countBar{progressbar.NewOptions(-1, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("looking at messages"),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionClearOnFinish())}
}

func (b countBar) show(done int) {
	if b.now != nil {
		_ = b.now.Set(done)
	}
}

func (b countBar) clear() {
	if b.now != nil {
		_ = b.now.Clear()
		_ = b.now.Exit()
	}
}

// endRedrive prints what was done, after an error too.
func (c *cli) endRedrive(f redriveFlags, report redrive.Report, failed error) error {
	var err error
	if f.asJSON {
		if report.Groups == nil {
			report.Groups = []redrive.Group{}
		}
		err = c.safeJSON(struct {
			redrive.Report
			Left     int  `json:"left"`
			Applied  bool `json:"applied"`
			Complete bool `json:"complete"`
		}{report, report.Left(), f.apply, failed == nil})
	} else {
		err = c.printRedrive(f, report, failed)
	}
	var op *redrive.Error
	switch {
	case err != nil:
		return err
	case errors.As(failed, &op):
		return fmt.Errorf("%w\nssoctl: nothing is lost; run it again", called(op.Op, op.Err))
	case failed != nil:
		return failed
	case report.Left() > 0 || report.More:
		return errDrift
	}
	return nil
}

func (c *cli) printRedrive(f redriveFlags, report redrive.Report, failed error) error {
	text := &bytes.Buffer{}
	if len(report.Groups) > 0 {
		w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "MESSAGE\tFOUND\tOLDEST\tMOVED\tDELETED\tLEFT\tWHAT TO DO")
		for _, g := range report.Groups {
			name := string(g.Class)
			if g.Reason != "" {
				name += ": " + g.Reason
			}
			_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%d\t%s\n", name, g.Found, ago(g.Oldest), g.Moved, g.Deleted, g.Left(), redriveAdvice(g))
		}
		_ = w.Flush()
		_, _ = fmt.Fprintln(text)
	}
	_, _ = fmt.Fprintln(text, redriveVerdict(f, report, failed))
	_, err := c.out.Write(withoutTrailingSpace(text.Bytes()))
	return err
}

func ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return inspect.Span(max(time.Since(at), 0)) + " ago"
}

// redriveAdvice is for what is left of a group.
func redriveAdvice(g redrive.Group) string {
	switch {
	case g.Left() == 0:
		return ""
	case g.Reason == "unknown version":
		return "upgrade sso-signins, and ssoctl, to the release of sso-trigger; then again"
	}
	return map[redrive.Class]string{
		redrive.Good:       "--apply takes them back",
		redrive.UnknownSub: "ssoctl reconcile --apply makes the rows; then again",
		redrive.Old:        "without --max-age they are taken back too",
		redrive.Ahead:      "check the sender's clock; then again, when their time has come",
		redrive.Unreadable: "--apply --delete-unreadable FILE keeps them in a file and deletes them",
	}[g.Class]
}

func redriveVerdict(f redriveFlags, report redrive.Report, failed error) string {
	looked := "Looked at " + counted(int64(report.Looked), "message", "messages")
	switch {
	case failed != nil:
		return looked + ". It did not finish: these counts are a part."
	case report.Looked == 0:
		return "The dead-letter queue is empty."
	case report.More:
		return looked + ": --limit ended it, there may be more."
	case report.Left() == 0:
		return looked + ": none is left."
	case !f.apply:
		return looked + ": nothing was changed."
	}
	return fmt.Sprintf("%s: %d left.", looked, report.Left())
}
