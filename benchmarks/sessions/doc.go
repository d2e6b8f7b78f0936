// Package sessions measures what a session costs a request: this module's Login
// beside alexedwards/scs and gorilla/sessions, in one process and in turns. It
// has nothing to import; `make bench-sessions` runs it.
package sessions
