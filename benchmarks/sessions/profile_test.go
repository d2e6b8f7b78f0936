package sessions_test

import (
	"net/http"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
)

func BenchmarkMemory(b *testing.B) {
	c := ours(b, newPool(b), oursMemory, func(sso.TokenSet) {}, func(*middleware.LoginConfig) {})
	r, w := c.request(b), &blank{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		c.handler.ServeHTTP(w, r.WithContext(r.Context()))
	}
}
