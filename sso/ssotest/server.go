package ssotest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	shutdownLimit = 5 * time.Second
	functionGrace = 10 * time.Second
)

// serve serves the pool on l until Close.
func (p *Pool) serve(l net.Listener) {
	p.server = &http.Server{
		Handler:           p.handler(),
		BaseContext:       func(net.Listener) context.Context { return p.ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute, // three triggers may take 15 s each
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	p.served = make(chan struct{})
	go func() {
		defer close(p.served)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("ssotest: the server ended", "error", err)
		}
	}()
}

// handler routes a request: the key document, the API (POST / with X-Amz-Target), what there is of the Lambda API, and the
// hosted endpoints.
func (p *Pool) handler() http.Handler {
	api, hosted := p.apiHandler(), p.hostedHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == p.jwksPath() && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			p.serveJWKS(w, r)
		case r.URL.Path == "/" && r.Method == http.MethodPost && r.Header.Get(targetHeader) != "":
			api.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, lambdaPrefix) && r.Method == http.MethodGet:
			p.serveLambda(w, r)
		default:
			hosted.ServeHTTP(w, r)
		}
	})
}

// Close stops the server, cancels the context of running triggers and waits for both. It returns an error if a trigger
// does not end.
func (p *Pool) Close() error {
	p.closeOnce.Do(func() { p.closeErr = p.close() })
	return p.closeErr
}

func (p *Pool) close() error {
	p.cancel()
	var errs []error
	if p.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		if err := p.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, p.server.Close())
		}
		<-p.served
	}
	errs = append(errs, p.functions.wait(functionGrace))
	p.mu.Lock()
	p.keys.free()
	p.mu.Unlock()
	return errors.Join(errs...)
}
