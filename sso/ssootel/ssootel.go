package ssootel

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/ssu-itsupport/cognito-sso/sso"
)

// scope names the instrumentation, as OpenTelemetry asks: by its import path.
const scope = "github.com/ssu-itsupport/cognito-sso/sso/ssootel"

// maxIssuers bounds the values of the issuer attribute. An app has two to four.
const maxIssuers = 64

const other = "other"

var (
	keyUse        = attribute.Key("cognito_sso.use")
	keyReason     = attribute.Key("cognito_sso.reason")
	keyRemembered = attribute.Key("cognito_sso.remembered")
	keyIssuer     = attribute.Key("cognito_sso.issuer")
)

// Observer is an [sso.Observer]. Make one with [New]; several Verifiers may
// share it. It is safe for concurrent use.
type Observer struct {
	tokens       metric.Int64Counter
	duration     metric.Float64Histogram
	fetches      metric.Int64Counter
	keysDuration metric.Float64Histogram
	usable       metric.Int64Gauge
	registration metric.Registration

	// Options are made once: making them costs more than a verification of a
	// token that is remembered. The maps are not written after New.
	adds    map[verdict][]metric.AddOption
	records map[verdict][]metric.RecordOption // reason is "", which has no attribute

	mu      sync.Mutex // guards issuers
	issuers map[string]*issuer
}

// verdict is what the attributes of a token are made of.
type verdict struct {
	use        sso.TokenUse
	reason     sso.Reason
	remembered bool
}

// issuer is what is measured of one issuer. The options are not written after
// it was made.
type issuer struct {
	record  []metric.RecordOption
	observe []metric.ObserveOption
	adds    map[sso.KeysReason][]metric.AddOption
	fetched time.Time // when its keys were fetched; zero if there are none
}

// New returns an Observer that measures with a meter of the provider, named by
// this package's import path. Its error is a [*sso.ConfigError] if there is no
// provider, else the provider's own.
func New(provider metric.MeterProvider) (*Observer, error) {
	if provider == nil {
		return nil, &sso.ConfigError{Field: "provider", Problem: "is required"}
	}
	o := &Observer{
		adds:    make(map[verdict][]metric.AddOption),
		records: make(map[verdict][]metric.RecordOption),
		issuers: make(map[string]*issuer),
	}
	for _, use := range []sso.TokenUse{sso.UseAccess, sso.UseID, ""} {
		for _, remembered := range []bool{false, true} {
			name := string(use)
			if use == "" {
				name = "any"
			}
			common := []attribute.KeyValue{keyUse.String(name), keyRemembered.Bool(remembered)}
			o.records[verdict{use, "", remembered}] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(common...))}
			for _, reason := range sso.Reasons() {
				set := attribute.NewSet(append(common[:2:2], keyReason.String(string(reason)))...)
				o.adds[verdict{use, reason, remembered}] = []metric.AddOption{metric.WithAttributeSet(set)}
			}
		}
	}
	if err := o.instruments(provider.Meter(scope)); err != nil {
		return nil, err
	}
	return o, nil
}

// instruments makes the instruments.
func (o *Observer) instruments(m metric.Meter) error {
	var errs [6]error
	o.tokens, errs[0] = m.Int64Counter("cognito_sso.verify.tokens",
		metric.WithUnit("{token}"), metric.WithDescription("Tokens that were looked at, by how it ended."))
	o.duration, errs[1] = m.Float64Histogram("cognito_sso.verify.duration",
		metric.WithUnit("s"), metric.WithDescription("How long looking at a token took, waiting for keys included."),
		// From a token that is remembered over an RSA operation to a fetch of keys.
		metric.WithExplicitBucketBoundaries(1e-6, 5e-6, 2e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 2.5, 10))
	o.fetches, errs[2] = m.Int64Counter("cognito_sso.keys.fetches",
		metric.WithUnit("{fetch}"), metric.WithDescription("Attempts to fetch an issuer's keys, by how they ended."))
	o.keysDuration, errs[3] = m.Float64Histogram("cognito_sso.keys.duration",
		metric.WithUnit("s"), metric.WithDescription("How long attempts to fetch keys took."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30))
	o.usable, errs[4] = m.Int64Gauge("cognito_sso.keys.usable",
		metric.WithUnit("{key}"), metric.WithDescription("Usable keys of an issuer after the last attempt to fetch them."))
	age, err := m.Float64ObservableGauge("cognito_sso.keys.age",
		metric.WithUnit("s"), metric.WithDescription("How long ago the keys in force were fetched."))
	errs[5] = err
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	o.registration, err = m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, i := range o.issuers {
			if !i.fetched.IsZero() {
				to.ObserveFloat64(age, time.Since(i.fetched).Seconds(), i.observe...)
			}
		}
		return nil
	}, age)
	return err
}

// Close ends the measuring of the keys' age. What a Verifier still tells is
// counted.
func (o *Observer) Close() error { return o.registration.Unregister() }

// Verified implements [sso.Observer].
func (o *Observer) Verified(ctx context.Context, e sso.VerifyEvent) {
	v := verdict{e.Use, "", e.Remembered}
	record, ok := o.records[v]
	if !ok {
		v.use = "" // no use of this module's: the list stays closed
		record = o.records[v]
	}
	v.reason = e.Reason
	add, ok := o.adds[v]
	if !ok {
		v.reason = other
		add = o.adds[v]
	}
	o.tokens.Add(ctx, 1, add...)
	o.duration.Record(ctx, e.Duration.Seconds(), record...)
}

// KeysFetched implements [sso.Observer].
func (o *Observer) KeysFetched(e sso.KeysEvent) {
	ctx := context.Background()
	i := o.issuer(e)
	add, ok := i.adds[e.Reason]
	if !ok {
		add = i.adds[sso.KeysOther]
	}
	o.fetches.Add(ctx, 1, add...)
	o.keysDuration.Record(ctx, e.Duration.Seconds(), i.record...)
	o.usable.Record(ctx, int64(e.Keys), i.record...)
}

// issuer returns what is known of the event's issuer, with its age set.
func (o *Observer) issuer(e sso.KeysEvent) *issuer {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := e.Issuer
	if o.issuers[name] == nil && len(o.issuers) >= maxIssuers-1 {
		name = other
	}
	i := o.issuers[name]
	if i == nil {
		i = newIssuer(name)
		o.issuers[name] = i
	}
	i.fetched = time.Time{}
	if e.Keys > 0 {
		i.fetched = time.Now().Add(-e.Age)
	}
	return i
}

func newIssuer(name string) *issuer {
	attr := keyIssuer.String(name)
	set := metric.WithAttributeSet(attribute.NewSet(attr))
	i := &issuer{
		record:  []metric.RecordOption{set},
		observe: []metric.ObserveOption{set},
		adds:    make(map[sso.KeysReason][]metric.AddOption),
	}
	for _, reason := range sso.KeysReasons() {
		i.adds[reason] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attr, keyReason.String(string(reason))))}
	}
	return i
}
