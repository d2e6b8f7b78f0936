// Package settings reads what the Lambda functions are told by environment
// variables. It notes every mistake and goes on, so that a function can name
// all of them at once when it starts.
//
// The variables that several functions read, for the database, the table and
// the log, are here too, so that they are spelt and mean the same everywhere.
package settings
