// Package redisstore keeps the sessions of [middleware.Login] in Redis or
// Valkey, so that processes share them.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379", ContextTimeoutEnabled: true})
//	store, err := redisstore.New(redisstore.Config{Client: client})
//	l, err := middleware.NewLogin(client, middleware.LoginConfig{Sessions: store, …})
//
// It is a module of its own, so that apps that keep sessions elsewhere do not
// have Redis' client among their dependencies. It needs Redis 6 or later, with
// scripts.
//
// # What is in Redis
//
// A hash for each session, which Redis drops when the session expires, by its
// own clock; a sorted set for each subject, of its sessions' keys; and for some
// seconds a lock for a session that is being refreshed. Nothing there can be
// used to sign in: keys are hashes, and data is encrypted. Every key has an
// expiry, and a set drops what has expired with every session that is written.
//
// The sets are what signing out everywhere goes by, so Redis must not evict
// keys: maxmemory-policy noeviction. A set that is lost all the same comes back
// as its sessions are used.
//
// # How it is atomic
//
// Creating, updating, deleting and locking a session is one script each, on keys
// of one slot (the session's key is the hash tag), so it works in a Cluster, and
// sessions spread over its nodes. An update goes by the version and by the
// session being there, in one step: none that began before a delete revives a
// session. The set of a subject is in a slot of its own, and is written before
// the session is: whatever exists is in its set. DeleteBySubject reads the set
// and deletes session by session; it does not stop a sign-in that goes on at the
// same moment, which then counts as later, and is found by the next call.
//
// A script that the client sends again because the answer was lost knows its own
// writing, and does not call it a conflict.
//
// # What a failover loses
//
// Redis replicates after it has answered. A failover may therefore lose the last
// moments of what was acknowledged, and so may a server that starts again from
// an old snapshot (appendonly yes, appendfsync always is what prevents that):
//
//   - A session that was signed out may be there again, until it expires. Its
//     refresh token was revoked at Cognito if that could be reached, so it ends
//     with its ID token, after an hour at most by Cognito's default; until then
//     whoever has the cookie is signed in.
//   - A new session may be gone: the person signs in again.
//   - New tokens of a session may be gone. Where the pool rotates refresh tokens
//     the old one is spent, and the person signs in again; otherwise nobody
//     notices.
//   - A lock may be gone, so that two processes refresh one session. One is
//     refused by Cognito and takes over what the other stored.
//
// Config.WaitReplicas makes a write, and so a sign-out, fail unless that many
// replicas have it too. A replica without it may still be promoted, if there are
// others; with as many as there are replicas this takes two faults at once, and
// every replica that is down stops sign-ins. Where a sign-out must never be
// lost, keep sessions in a database (middleware/sqlstore) that commits to disk.
//
// # Errors
//
// Errors hold no key, subject or data and no text of the server's; errors.As
// finds the client's own error. A server that is down, full (OOM), loading or a
// replica (READONLY) is an error, never the answer that a session is gone.
package redisstore
