// Package ssootel measures an [sso.Verifier] with OpenTelemetry. It imports the
// metric API alone, not an SDK.
//
//	o, err := ssootel.New(otel.GetMeterProvider())
//	v, err := sso.NewVerifier(sso.Config{…, Observer: o})
//
// # Metrics
//
//	cognito_sso.verify.tokens     counter    {token}  use, reason, remembered
//	cognito_sso.verify.duration   histogram  s        use, remembered
//	cognito_sso.keys.fetches      counter    {fetch}  issuer, reason
//	cognito_sso.keys.duration     histogram  s        issuer
//	cognito_sso.keys.usable       gauge      {key}    issuer
//	cognito_sso.keys.age          gauge      s        issuer
//
// The attributes are named cognito_sso.use and so on. Their values are from
// closed lists:
//
//	use         access, id, or any where either would have done
//	reason      of tokens: sso.Reasons; of keys: sso.KeysReasons
//	remembered  true if the token had been verified before
//	issuer      the configured issuers, at most 64 values: "other" beyond
//
// The hit ratio of the verified-token memory is verify.tokens with remembered
// true over all whose reason is ok. keys.age goes on growing between fetches:
// above Config's refresh age it means that the key server fails, and at its
// StaleIfError tokens begin to be refused. It is absent while there are no
// keys; keys.usable is 0 then.
//
// # Security model
//
// No attribute is text that a token or a request said, so nobody who sends
// requests can add a time series, and none names a person, a token or a client.
package ssootel
