package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/ssu-itsupport/cognito-sso/internal/awshttp"
	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/middleware"
	"github.com/ssu-itsupport/cognito-sso/sso"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// world is everything that runs: the pool, the table, the triggers, two apps.
//
//	browser ─▶ board ─┬▶ pool ─▶ Kakao | Google (stand-ins)
//	        ─▶ desk  ─┘   │
//	                      ├▶ triggers ─▶ users.db
//	                      │      └─▶ queue ─▶ consumer ─▶ users.db
//	                      ◀── custom:userId (AWS SDK)
type world struct {
	log      *slog.Logger
	backend  backend // the table, and what makes the trigger
	pool     *ssotest.Pool
	cognito  *cognitoidentityprovider.Client // the AWS SDK's, pointed at the pool
	trigger  ssotest.Trigger
	sessions middleware.SessionStore // of both apps, so that "everywhere" is one call
	board    *app
	desk     *app
	kiosk    *app // a third app client of the pool, for which nothing here is meant; it is not served

	// failed gets the error of a server that ends by itself.
	failed chan error

	closing   sync.Once
	closeErr  error
	whenClose []func() error // run in reverse
}

// worldConfig says where things are. "" is a default: a folder that is removed
// at the end, and the usual address or a free one.
type worldConfig struct {
	dir                           string
	poolAddr, boardAddr, deskAddr string
	log                           *slog.Logger
	// For tests: another backend than this process, other settings of the pool,
	// and how to break the world.
	backend  func(context.Context, *world) (backend, error)
	pool     func(*ssotest.Config)
	sabotage sabotage
}

// sabotage is how a test breaks the world, to see the check notice. All its
// functions may be nil.
type sabotage struct {
	store    func(users.Store) users.Store
	signIns  func(lambda.SignIns, users.Store) lambda.SignIns
	triggers func(ssotest.Trigger) ssotest.Trigger
	sessions func(middleware.SessionStore) middleware.SessionStore
	verifier func(*sso.Config)
	handler  func(*app, http.Handler) http.Handler
}

// startWorld starts everything, or nothing.
func startWorld(ctx context.Context, cfg worldConfig) (_ *world, err error) {
	w := &world{log: cfg.log, failed: make(chan error, 3)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	dir, err := w.openFolder(cfg.dir)
	if err != nil {
		return nil, err
	}
	if cfg.backend != nil {
		w.backend, err = cfg.backend(ctx, w)
	} else {
		w.backend, err = openHere(ctx, w, dir, cfg.sabotage)
	}
	if err != nil {
		return nil, err
	}
	if err := w.listen(cfg); err != nil {
		return nil, err
	}
	if err := w.startPool(cfg, dir); err != nil {
		return nil, err
	}
	if err := w.startApps(ctx, cfg, dir); err != nil {
		return nil, err
	}
	return w, nil
}

// Close ends everything, the newest first, and may be called again.
func (w *world) Close() error {
	w.closing.Do(func() {
		var errs []error
		for i := len(w.whenClose) - 1; i >= 0; i-- {
			errs = append(errs, w.whenClose[i]())
		}
		w.closeErr = errors.Join(errs...)
	})
	return w.closeErr
}

func (w *world) atClose(f func() error) { w.whenClose = append(w.whenClose, f) }

// listen takes the ports of the apps before the pool starts, because the pool
// must know their addresses.
func (w *world) listen(cfg worldConfig) error {
	w.board = &app{key: "board", name: "Community board", korean: "커뮤니티 게시판", clientID: "communityboard"}
	w.desk = &app{key: "desk", name: "Event desk", korean: "행사 안내 데스크", clientID: "eventdesk"}
	w.kiosk = &app{key: "kiosk", name: "Library kiosk", clientID: "librarykiosk", clientSecret: randomHex(24), url: "http://localhost:1"}
	for _, a := range []struct {
		app             *app
		wanted, usually string
	}{{w.board, cfg.boardAddr, defaultBoard}, {w.desk, cfg.deskAddr, defaultDesk}} {
		l, err := listenOn(a.wanted, a.usually)
		if err != nil {
			return fmt.Errorf("%s: %w", a.app.name, err)
		}
		w.atClose(func() error { _ = l.Close(); return nil }) // the server closes it first if there is one
		host, _, _ := net.SplitHostPort(firstOf(a.wanted, a.usually))
		_, port, _ := net.SplitHostPort(l.Addr().String())
		a.app.listener, a.app.url = l, "http://"+net.JoinHostPort(host, port)
		a.app.clientSecret = randomHex(24)
	}
	return nil
}

// listenOn listens on the address that is wanted, or else on the usual one, or
// on a free port if that is taken. It is tcp4, so that "localhost" means the
// same 127.0.0.1 to every program that may have the port already.
func listenOn(wanted, usually string) (net.Listener, error) {
	const network = "tcp4"
	if wanted != "" {
		return net.Listen(network, wanted)
	}
	l, err := net.Listen(network, usually)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(usually)
		return net.Listen(network, net.JoinHostPort(host, "0"))
	}
	return l, err
}

// startPool starts the stand-in for Cognito, and the triggers behind it.
func (w *world) startPool(cfg worldConfig, dir string) error {
	// The pool needs the triggers, and they need the pool's address: whoever
	// comes too early waits.
	ready := make(chan struct{})
	trigger := wrap[ssotest.Trigger](cfg.sabotage.triggers, ssotest.TriggerFunc(func(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
		<-ready
		return w.trigger.Invoke(ctx, event)
	}))
	p, err := startOn(cfg.poolAddr, w.poolConfig(cfg, dir, trigger))
	if err != nil {
		return err
	}
	w.pool = p
	w.atClose(p.Close)
	if err := w.restoreUsers(dir); err != nil {
		return err
	}
	w.cognito = cognitoidentityprovider.New(cognitoidentityprovider.Options{
		Region: "ap-northeast-2", BaseEndpoint: aws.String(p.URL()), RetryMaxAttempts: 2, HTTPClient: awshttp.NewClient(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	w.trigger, err = w.backend.trigger(w)
	close(ready)
	return err
}

func (w *world) poolConfig(cfg worldConfig, dir string, trigger ssotest.Trigger) ssotest.Config {
	pool := ssotest.Config{
		ID:        "ap-northeast-2_Quickstrt",
		Clients:   []ssotest.Client{w.board.poolClient(), w.desk.poolClient(), w.kiosk.poolClient()},
		Providers: []ssotest.Provider{ssotest.Kakao(kakaoPeople...), ssotest.Google(googlePeople...)},
		Triggers:  ssotest.All(trigger),
		// As in the templates: the pool is not deleted by a slip, and people come
		// by Kakao and Google only.
		DeletionProtection:  true,
		AdminCreateUserOnly: true,
		KeyDir:              filepath.Join(dir, "keys"),
		Logger:              w.log,
	}
	// V2 puts the userId into the access token too, which is what an API gets.
	pool.Triggers.PreTokenGenerationVersion = "V2_0"
	if cfg.pool != nil {
		cfg.pool(&pool)
	}
	return pool
}

// startOn starts the pool on the address that is wanted, or else on the usual
// one, or on a free port if that is taken.
func startOn(wanted string, pool ssotest.Config) (*ssotest.Pool, error) {
	pool.Addr = firstOf(wanted, defaultPool)
	p, err := ssotest.Start(pool)
	if wanted == "" && errors.Is(err, syscall.EADDRINUSE) {
		pool.Addr = "127.0.0.1:0"
		p, err = ssotest.Start(pool)
	}
	return p, err
}

func wrap[T any](f func(T) T, v T) T {
	if f == nil {
		return v
	}
	return f(v)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
