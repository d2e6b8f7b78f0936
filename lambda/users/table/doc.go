// Package table says how the organisation's own user table is laid out: what
// it and its columns are called, and of which types they are. Every SQL store
// reads the same [Config], so that moving from one database to another, or
// from a test to production, changes no names.
//
// The table belongs to the organisation. Stores read and write the configured
// columns and no others; a new row gets the defaults of the rest.
package table
