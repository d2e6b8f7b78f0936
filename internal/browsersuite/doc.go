// Package browsersuite tests middleware.Login with a real browser: Chromium,
// the fake pool with its pages, and apps on host names of their own under TLS,
// so that cookies are __Host- and Secure, and other sites are other sites.
//
// It has tests only, and is no part of middleware so that apps do not get the
// browser's driver into their go.sum.
package browsersuite
