package crash_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// startAWS is the AWS of sso-trigger: Lambda's Invoke API before the
// environments of sso-dbsync, the API of the user pool, and SQS, of which it
// notes what the queue was sent and what it took. Of sso-dbsync it notes the
// sign-ins that it is to write with a row.
func startAWS(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/dbsync/invocations", w.invokeDbsync)
	mux.HandleFunc("POST /", func(out http.ResponseWriter, r *http.Request) {
		switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
		case "SendMessage":
			w.sendMessage(out, r)
		case "AdminUpdateUserAttributes":
			w.updateAttributes(out, r)
		default:
			http.Error(out, "unexpected call", http.StatusNotImplemented)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (w *world) invokeDbsync(out http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	w.truth.asked(payload)
	a, err := w.dbsync.invoke(r.Context(), payload)
	if err != nil {
		http.Error(out, `{"message":"gone"}`, http.StatusInternalServerError)
		return
	}
	if a.FunctionError != "" {
		w.ledger.fail(dbsyncName)
		out.Header().Set("X-Amz-Function-Error", a.FunctionError)
	}
	_, _ = out.Write(a.Payload)
}

func (w *world) sendMessage(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var in struct{ MessageBody string }
	_ = json.Unmarshal(body, &in) // else the queue refuses it
	w.truth.attempted(in.MessageBody)
	on, err := http.NewRequestWithContext(r.Context(), http.MethodPost, w.queueAPI, bytes.NewReader(body))
	if err != nil {
		http.Error(out, "", http.StatusInternalServerError)
		return
	}
	on.Header = r.Header.Clone()
	res, err := http.DefaultClient.Do(on)
	if err != nil {
		http.Error(out, "", http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		w.truth.accepted(in.MessageBody)
	}
	out.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	out.WriteHeader(res.StatusCode)
	_, _ = out.Write(answer)
}

// updateAttributes refuses one call of three, as the pool's quota does, so that
// the token trigger has something to heal.
func (w *world) updateAttributes(out http.ResponseWriter, r *http.Request) {
	var in struct {
		Username       string
		UserAttributes []struct{ Name, Value string }
	}
	out.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if w.updates.Add(1)%3 == 0 || json.NewDecoder(r.Body).Decode(&in) != nil || len(in.UserAttributes) != 1 {
		out.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(out, `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`)
		return
	}
	w.truth.attribute(in.Username, in.UserAttributes[0].Value)
	_, _ = io.WriteString(out, `{}`)
}
