package policy

import "github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"

func (s *subject) queues() map[string]*template.Resource {
	out := map[string]*template.Resource{}
	for _, q := range s.Of("AWS::SQS::Queue") {
		out["arn:aws:sqs:"+s.Main().Where.Region+":"+s.Main().Where.Account+":"+text(q.Properties["QueueName"])] = q
	}
	return out
}

// visibilityTimeout: a message that is being written must not come a second
// time.
func visibilityTimeout(s *subject) []string {
	var say said
	for _, m := range s.Of("AWS::Lambda::EventSourceMapping") {
		q := s.queues()[text(m.Properties["EventSourceArn"])]
		for _, f := range s.functions() {
			if f.ID != text(m.Properties["FunctionName"]) || q == nil {
				continue
			}
			least := 6*number(f.Properties["Timeout"]) + max(number(m.Properties["MaximumBatchingWindowInSeconds"]), 0)
			if is := number(q.Properties["VisibilityTimeout"]); is < least {
				say.f("%s has %d s, less than %d", q.Path(), is, least)
			}
		}
	}
	return say
}

// deadLetters: what cannot be written is kept, longer than in the queue, and a
// passing fault of the database does not send it there.
func deadLetters(s *subject) []string {
	var say said
	queues := s.queues()
	for _, m := range s.Of("AWS::Lambda::EventSourceMapping") {
		q := queues[text(m.Properties["EventSourceArn"])]
		if q == nil {
			say.f("%s reads a queue that is not ours", m.Path())
			continue
		}
		redrive := object(q.Properties["RedrivePolicy"])
		dead := queues[text(redrive["deadLetterTargetArn"])]
		if dead == nil || dead == q {
			say.f("%s has no dead letters", q.Path())
			continue
		}
		if number(redrive["maxReceiveCount"]) < 5 {
			say.f("%s gives up after %v", q.Path(), redrive["maxReceiveCount"])
		}
		if number(dead.Properties["MessageRetentionPeriod"]) <= number(q.Properties["MessageRetentionPeriod"]) {
			say.f("%s keeps messages no longer than %s", dead.Path(), q.Path())
		}
	}
	return say
}

// queueClosed: encrypted, and nothing in clear.
func queueClosed(s *subject) []string {
	var say said
	denied := map[string]bool{}
	for _, p := range s.Of("AWS::SQS::QueuePolicy") {
		for _, st := range statements(p.Properties["PolicyDocument"]) {
			secure := object(object(st.condition)["Bool"])["aws:SecureTransport"]
			switch {
			case st.effect == "Deny" && st.principal == "*" && text(secure) == "false" && len(st.actions) == 1 && st.actions[0] == "sqs:*":
				denied[st.resources[0]] = true
			case st.effect == "Allow":
				say.f("%s lets somebody in beside the roles", p.Path())
			}
		}
	}
	for arn, q := range s.queues() {
		if q.Properties["SqsManagedSseEnabled"] != true && text(q.Properties["KmsMasterKeyId"]) == "" {
			say.f("%s is not encrypted", q.Path())
		}
		if !denied[arn] {
			say.f("%s takes requests in clear", q.Path())
		}
	}
	return say
}

// partialFailures: one bad message must not bring the others back, and what
// waits for a batch says how long.
func partialFailures(s *subject) []string {
	var say said
	mappings := s.Of("AWS::Lambda::EventSourceMapping")
	for _, m := range mappings {
		p := m.Properties
		if types := list(p["FunctionResponseTypes"]); len(types) != 1 || types[0] != "ReportBatchItemFailures" {
			say.f("%s does not report failures one by one", m.Path())
		}
		if number(p["BatchSize"]) > 10 && number(p["MaximumBatchingWindowInSeconds"]) < 1 {
			say.f("%s: Lambda refuses more than 10 without a window", m.Path())
		}
	}
	if len(mappings) != 1 {
		say.f("%d readers of the queue", len(mappings))
	}
	return say
}
