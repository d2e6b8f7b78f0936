// Package emf writes metrics in CloudWatch's embedded metric format: JSON lines
// among a function's log lines, which CloudWatch Logs makes metrics of. There
// is no call of an API, so there is nothing to wait for and nothing to fail.
//
//	w, err := emf.New(os.Stdout, emf.Config{Namespace: "SSO", Dimensions: map[string]string{"Function": "sso-dbsync"}})
//	…
//	err = w.Emit([]emf.Metric{{Name: "Updated", Unit: emf.Count, Value: 100}}, nil)
//
// # Dimensions
//
// Every combination of values of the dimensions is one more metric, which
// costs. So a dimension has few values: the name of a function, of a trigger.
// What is wanted for searching only (a reason, a request id) is a property: it
// is in the line, and no metric comes of it. Neither may hold personal data.
//
// # Errors
//
// [New] returns [ErrConfig], [Writer.Emit] [ErrEvent] or what the io.Writer
// says.
//
// # Compatibility
//
// The format is that of
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package emf
