package middleware_test

import (
	"net/http/httptest"
)

// recorder is a ResponseRecorder that knows whether anything was written.
type recorder struct {
	*httptest.ResponseRecorder
	wrote bool
}

func newRecorder() *recorder { return &recorder{ResponseRecorder: httptest.NewRecorder()} }

func (r *recorder) WriteHeader(status int) {
	r.wrote = true
	r.ResponseRecorder.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	return r.ResponseRecorder.Write(p)
}
