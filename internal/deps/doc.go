// Package deps holds the tests of what the module's packages import: what an
// app pays for importing sso or middleware, and which package alone may
// import what. It has no code of its own.
package deps
