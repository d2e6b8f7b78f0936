package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the check reads the table itself, not through the store that it checks

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/users"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// backend is what stands behind the pool: the user table, and the triggers
// that tie it to the pool. Here that is a file and this process. stack_test.go
// has real database servers, a real queue and the binaries that get deployed.
type backend struct {
	users   users.Store // what the pages read
	file    string      // of the table, if it is in one
	raw     rawTable    // what the check reads
	trigger func(*world) (ssotest.Trigger, error)
}

// rawTable is the user table by plain SQL: the check does not believe the code
// that it checks.
type rawTable struct {
	where         string // for people
	open          func() (*sql.DB, error)
	parameter     string   // as SQL has it: "?", or "$1"
	lock          []string // statements after which all may read and nobody can write
	unlock, hurry string   // hurry makes a session give up at once where there is a lock
}

// layout is how the user table looks: it is older than the pool, and has
// Kakao's ids as numbers.
func layout() table.Config {
	return table.Config{Providers: map[string]table.ProviderColumn{
		"Kakao":  {Name: "kakao_id", Type: table.SubjectNumber},
		"Google": {Name: "google_id"},
	}}
}

// openHere opens the table in a file of the folder, a queue in this process,
// and the triggers in this process.
func openHere(ctx context.Context, w *world, dir string, s sabotage) (backend, error) {
	path := filepath.Join(dir, "users.db")
	if err := seedTable(ctx, path); err != nil {
		return backend{}, fmt.Errorf("seeding the user table: %w", err)
	}
	opened, err := sqlite.Open(ctx, path, sqlite.Config{Table: layout()})
	if err != nil {
		return backend{}, err
	}
	w.atClose(opened.Close)
	store := wrap[users.Store](s.store, opened)
	queue, err := w.startQueue(store)
	if err != nil {
		return backend{}, err
	}
	var signIns lambda.SignIns = queue
	if s.signIns != nil {
		signIns = s.signIns(queue, store)
	}
	file, err := filepath.Abs(path)
	if err != nil {
		return backend{}, err
	}
	return backend{users: store, file: file, raw: rawFile(path), trigger: func(w *world) (ssotest.Trigger, error) {
		return w.newTriggers(store, signIns)
	}}, nil
}

// startQueue starts the queue of sign-ins and what writes them to the table.
func (w *world) startQueue(store users.Store) (*lambda.MemoryQueue, error) {
	consumer, err := lambda.NewConsumer(lambda.ConsumerConfig{Users: store, Logger: w.log})
	if err != nil {
		return nil, err
	}
	queue, err := lambda.NewMemoryQueue(consumer, lambda.MemoryQueueConfig{Logger: w.log})
	if err != nil {
		return nil, err
	}
	w.atClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return queue.Close(ctx)
	})
	return queue, nil
}

// newTriggers makes the handlers that get deployed as the pool's triggers.
func (w *world) newTriggers(store users.Store, signIns lambda.SignIns) (ssotest.Trigger, error) {
	t, err := lambda.NewTriggers(lambda.Config{
		Users:      store,
		Attributes: lambda.NewCognitoAttributes(w.cognito),
		SignIns:    signIns,
		Providers:  []string{"Kakao", "Google"},
		Logger:     w.log,
	})
	if err != nil {
		return nil, err
	}
	return ssotest.TriggerFunc(t.Handle), nil
}

// rawFile is the table in a file of SQLite.
func rawFile(path string) rawTable {
	return rawTable{
		where: path,
		open: func() (*sql.DB, error) {
			if _, err := os.Stat(path); err != nil {
				return nil, fmt.Errorf("the user table: %w", err)
			}
			return sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?_pragma=busy_timeout(5000)")
		},
		parameter: "?",
		lock:      []string{"BEGIN IMMEDIATE"},
		unlock:    "ROLLBACK",
		hurry:     "PRAGMA busy_timeout = 0",
	}
}
