// Package sqsevent reads what Lambda hands a consumer of an SQS queue, and of
// each message only what a consumer needs.
//
// events.SQSMessage of aws-lambda-go, decoded by encoding/json, costs more than
// anything else that is done for a message before the database: it looks at
// each byte three times and fills fourteen fields and three maps.
package sqsevent

import (
	"errors"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// Record is one message. What the event does not have, or has as null, is "".
type Record struct {
	ID     string // messageId
	Source string // eventSource, "aws:sqs"
	Body   string
	// Sent is the attribute SentTimestamp, in milliseconds since 1970.
	Sent string
	// Receives is the attribute ApproximateReceiveCount.
	Receives string
}

// Event is what came.
type Event struct {
	// Records is nil if there is no list of them.
	Records []Record
	// WarmUp: the member warmup is true.
	WarmUp bool
}

// ErrSyntax is the one error of this package. It says nothing about the event.
var ErrSyntax = errors.New("not an SQS event")

// limits are beyond what Lambda hands over: some 6 MB, and AWS's own nesting.
var limits = strictjson.Limits{Depth: 64, Values: 8 << 20}

// Parse reads an event. Names must match exactly, and none may occur twice in
// an object: AWS writes both so. A member that is not of use here may be of any
// type. The records hold on to a copy of raw.
func Parse(raw []byte) (Event, error) {
	var e Event
	var r Record
	bad := false
	err := strictjson.ObjectWith(string(raw), limits, list, func(name, value string) {
		switch name {
		case list:
			if e.Records == nil && value != null {
				e.Records = []Record{}
			}
			bad = bad || value != null && value[0] != '['
		case "warmup":
			e.WarmUp = value == "true"
		}
	}, func(name, value string) {
		bad = !r.set(name, value) || bad
	}, func() {
		e.Records = append(e.Records, r)
		r = Record{}
	})
	if err != nil || bad {
		return Event{}, ErrSyntax
	}
	return e, nil
}

const (
	list = "Records"
	null = "null"
)

// set reports false for a value of another type than SQS gives.
func (r *Record) set(name, value string) bool {
	switch name {
	case "messageId":
		return text(&r.ID, value)
	case "eventSource":
		return text(&r.Source, value)
	case "body":
		return text(&r.Body, value)
	case "attributes":
		return value == null || r.setAttributes(value)
	}
	return true
}

func (r *Record) setAttributes(value string) bool {
	ok := true
	err := strictjson.Object(value, limits, func(name, value string) {
		switch name {
		case "SentTimestamp":
			ok = text(&r.Sent, value) && ok
		case "ApproximateReceiveCount":
			ok = text(&r.Receives, value) && ok
		}
	})
	return ok && err == nil
}

func text(field *string, value string) (ok bool) {
	if value == null {
		return true
	}
	*field, ok = strictjson.String(value)
	return ok
}
