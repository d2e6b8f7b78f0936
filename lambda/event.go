package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// event is one trigger event. Only its response is ever changed: AWS adds
// fields over time, and Cognito wants the whole event back. Maps rather than
// structs, because encoding/json would fold the case of member names.
type event struct {
	raw      json.RawMessage
	top      object
	request  object
	response object
	edited   bool // response differs from raw

	source, poolID, userName string
	attributes               object // userAttributes; all values are strings so far
}

type object = map[string]json.RawMessage

var emptyObject = json.RawMessage("{}")

// parseEvent reads the envelope. Errors never quote the event, nor do they
// wrap those of encoding/json, which quote numbers.
func parseEvent(raw json.RawMessage) (*event, error) {
	e := &event{raw: raw}
	if json.Unmarshal(raw, &e.top) != nil || e.top == nil {
		return nil, fmt.Errorf("%w: not a JSON object", ErrBadEvent)
	}
	e.source, e.poolID, e.userName = text(e.top["triggerSource"]), text(e.top["userPoolId"]), text(e.top["userName"])
	for name, into := range map[string]*object{"request": &e.request, "response": &e.response} {
		if !decodeObject(e.top[name], into) {
			return nil, fmt.Errorf("%w: %s is not an object", ErrBadEvent, name)
		}
	}
	if !decodeObject(e.request["userAttributes"], &e.attributes) {
		return nil, fmt.Errorf("%w: userAttributes is not an object", ErrBadEvent)
	}
	// Cognito sends null for an absent map, and takes none back for response.
	e.edited = len(e.top["response"]) == 0 || string(e.top["response"]) == "null"
	return e, nil
}

// isWarmup reports whether the event is a ping that keeps the function warm.
// A trigger event is never one, whatever else it carries.
func (e *event) isWarmup() bool {
	_, trigger := e.top["triggerSource"]
	return !trigger && string(e.top["warmup"]) == "true"
}

// attribute is a user attribute, "" if it is missing or no string.
func (e *event) attribute(name string) string { return text(e.attributes[name]) }

// user is the key of what is remembered of the user.
func (e *event) user() recentUser { return recentUser{e.poolID, e.attribute("sub")} }

// version is the number of the event version, which Cognito sends as a string.
func (e *event) version() int {
	raw := e.top["version"]
	n, err := strconv.Atoi(text(raw))
	if err != nil {
		n, _ = strconv.Atoi(string(raw))
	}
	return n
}

// answer is the event with its response.
func (e *event) answer() (json.RawMessage, error) {
	if !e.edited {
		return e.raw, nil
	}
	response, err := encode(e.response)
	if err != nil {
		return nil, fmt.Errorf("%w: response", ErrBadEvent)
	}
	e.top["response"] = response
	out, err := encode(e.top)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot be written back", ErrBadEvent)
	}
	return out, nil
}

// decodeObject reads an object, leniently taking null and nothing for {}.
func decodeObject(raw json.RawMessage, into *object) bool {
	if len(raw) == 0 {
		raw = emptyObject
	}
	if json.Unmarshal(raw, into) != nil {
		return false
	}
	if *into == nil {
		*into = object{}
	}
	return true
}

// rawList reads a list, leniently taking null and nothing for an empty one.
func rawList(raw json.RawMessage) (list []json.RawMessage, ok bool) {
	if len(raw) == 0 {
		return nil, true
	}
	return list, json.Unmarshal(raw, &list) == nil
}

// textList is the strings of a list.
func textList(raw json.RawMessage) []string {
	list, _ := rawList(raw)
	out := make([]string, 0, len(list))
	for _, r := range list {
		if s := text(r); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// texts is the strings of an object.
func texts(raw json.RawMessage) map[string]string {
	var o object
	if !decodeObject(raw, &o) {
		return map[string]string{}
	}
	out := make(map[string]string, len(o))
	for name, r := range o {
		out[name] = text(r)
	}
	return out
}

// text is a JSON string's value, "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// encode marshals without rewriting <, > and & inside raw messages.
func encode(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
