// Package function starts a Lambda function: it reads the settings, says what
// is wrong with them, and serves.
package function

import (
	"context"
	"io"
	"log/slog"
	"os"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/ssu-itsupport/cognito-sso/lambda/emf"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
)

// Function is what there is to serve.
type Function struct {
	// Handler is anything that aws-lambda-go starts.
	Handler any
	// Connections are closed in good order when Lambda takes the function down,
	// so that the database does not hold them until a timeout. nil is none.
	Connections io.Closer
}

// SetUp makes a function of settings that are all read before anything is
// opened. It calls nothing over a network.
type SetUp func(ctx context.Context, r *settings.Reader, log *slog.Logger) (Function, error)

// Main serves the function and does not return. If the settings are wrong it
// logs every mistake and ends the process with 1.
func Main(name string, setUp SetUp) {
	collectRarely(os.Getenv)
	r := settings.NewReader(os.Environ())
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: r.LogLevel()}))
	f, err := setUp(context.Background(), r, log)
	if err != nil {
		log.Error(name+" cannot start", "error", err.Error())
		os.Exit(1)
	}
	for _, variable := range r.Unknown() {
		log.Warn("a variable that means nothing here", "name", variable)
	}
	slog.SetDefault(log) // package log too: aws-lambda-go prints errors, that is our public texts, with it
	awslambda.StartWithOptions(f.Handler, options(f, log)...)
}

// options asks Lambda for SIGTERM, which it sends to who asks only, where there
// is something to close.
func options(f Function, log *slog.Logger) []awslambda.Option {
	if f.Connections == nil {
		return nil
	}
	return []awslambda.Option{awslambda.WithEnableSIGTERM(func() {
		if err := f.Connections.Close(); err != nil {
			log.Warn("connections not closed", "error", err.Error())
		} else {
			log.Info("connections closed")
		}
		os.Exit(0) // no event is under way then
	})}
}

// Metrics reads SSO_METRICS_NAMESPACE and returns a writer of metrics to the
// log, or nil if it is "-".
//
//	SSO_METRICS_NAMESPACE  namespace of the CloudWatch metrics; "-" is none.
//	                       Defaults to SSO.
func Metrics(r *settings.Reader, name string) *emf.Writer {
	namespace := r.Text("SSO_METRICS_NAMESPACE")
	switch namespace {
	case "-":
		return nil
	case "":
		namespace = "SSO"
	}
	w, err := emf.New(os.Stdout, emf.Config{Namespace: namespace, Dimensions: map[string]string{"Function": name}})
	r.Explain(err, map[string]string{"Namespace": "SSO_METRICS_NAMESPACE"})
	return w
}
