// Command sync measures what sign-up and sign-in cost: how long people wait,
// how often the database, Cognito and the queue are asked, how fast sign-ins are
// written, how long a function takes to start, and what the first day of term is
// like. docs/performance.md says how to read what it prints.
//
//	go run ./sync [-quick] [-plot ../docs/img/sync-latency.svg] [-only signup,signin,…]
//
// All parts are real: the binaries as make lambdas builds them, over a local
// Lambda runtime; PostgreSQL, MariaDB and an SQS server, which it starts itself
// and ends. The user pool is ssotest. -quick does each part with tiny counts,
// to see that it works; its times mean nothing.
package main
