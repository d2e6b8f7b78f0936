package keyset_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/keyset"
)

func BenchmarkKnownKey(b *testing.B) {
	s := new(server)
	s.serve(200, jwks("a"))
	c := keyset.New(keyset.Config{URL: "https://keys.example", Client: &http.Client{Transport: s}, Now: time.Now})
	defer c.Close()
	_ = c.Refresh(b.Context())
	b.Run("Key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Key(b.Context(), "a")
		}
	})
	now := time.Now()
	b.Run("GenerationAt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.GenerationAt(now)
		}
	})
}
