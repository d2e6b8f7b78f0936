package ssotest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// accountID is the account that the pool and its functions are in.
const accountID = "000000000000"

const lambdaPrefix = "/2015-03-31/"

// functionConfiguration is what GetFunctionConfiguration says of a trigger.
type functionConfiguration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Handler          string
	MemorySize       int
	Timeout          int
	State            string
	LastUpdateStatus string
}

// serveLambda serves what of the Lambda API shows configuration: each trigger is a function, which the pool may invoke,
// and no queue has a consumer. Requests must be signed; signatures are not checked.
func (p *Pool) serveLambda(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !strings.HasPrefix(r.Header.Get("Authorization"), signedPrefix) {
		lambdaError(w, http.StatusForbidden, "MissingAuthenticationTokenException")
		return
	}
	name, function := lambdaOperation(r)
	if kind := p.currentFaults().APIError[name]; kind != "" {
		status := http.StatusBadRequest
		if kind == "AccessDeniedException" {
			status = http.StatusForbidden
		}
		lambdaError(w, status, kind)
		return
	}
	out, ok := p.lambdaAnswer(name, function)
	if !ok {
		lambdaError(w, http.StatusNotFound, "ResourceNotFoundException")
		return
	}
	out, err := p.described(name, out)
	if err != nil {
		lambdaError(w, http.StatusInternalServerError, "ServiceException")
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

// lambdaOperation names the operation of a request, and the function by name or ARN.
func lambdaOperation(r *http.Request) (name, function string) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, lambdaPrefix), "/")
	if path == "event-source-mappings" {
		return "ListEventSourceMappings", ""
	}
	rest, ok := strings.CutPrefix(path, "functions/")
	if !ok {
		return "", ""
	}
	function, what, _ := strings.Cut(rest, "/")
	switch what {
	case "configuration":
		return "GetFunctionConfiguration", function
	case "policy":
		return "GetPolicy", function
	}
	return "", ""
}

func (p *Pool) lambdaAnswer(name, function string) (any, bool) {
	if name == "ListEventSourceMappings" {
		return map[string]any{"EventSourceMappings": []any{}}, true
	}
	if !p.hasFunction(function) {
		return nil, false
	}
	arn := p.arn("lambda", "function:"+function[strings.LastIndexByte(function, ':')+1:])
	switch name {
	case "GetFunctionConfiguration":
		return functionConfiguration{
			FunctionName: arn[strings.LastIndexByte(arn, ':')+1:], FunctionArn: arn, Runtime: "provided.al2023", Handler: "bootstrap",
			MemorySize: 512, Timeout: 4, State: "Active", LastUpdateStatus: "Successful",
		}, true
	case "GetPolicy":
		return map[string]string{"Policy": p.functionPolicy(arn), "RevisionId": "1"}, true
	}
	return nil, false
}

// hasFunction reports whether a name or an ARN is that of a trigger.
func (p *Pool) hasFunction(function string) bool {
	c := p.lambdaConfig()
	for _, arn := range []string{c.PreSignUp, c.PostConfirmation, c.PreAuthentication, c.PostAuthentication, c.PreTokenGeneration} {
		if arn != "" && (arn == function || strings.HasSuffix(arn, ":"+function)) {
			return true
		}
	}
	return false
}

// functionPolicy lets the pool, and nobody else, invoke a function.
func (p *Pool) functionPolicy(function string) string {
	text, err := json.Marshal(map[string]any{
		"Version": "2012-10-17", "Id": "default",
		"Statement": []any{map[string]any{
			"Sid": "cognito", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function,
			"Principal": map[string]string{"Service": "cognito-idp.amazonaws.com"},
			"Condition": map[string]any{
				"ArnLike":      map[string]string{"AWS:SourceArn": p.arn("cognito-idp", "userpool/"+p.cfg.ID)},
				"StringEquals": map[string]string{"AWS:SourceAccount": accountID},
			},
		}},
	})
	if err != nil {
		panic(err) // texts
	}
	return string(text)
}

func lambdaError(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Type": "User", "Message": "The fake pool does not have this"})
}
