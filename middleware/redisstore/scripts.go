package redisstore

import "github.com/redis/go-redis/v9"

// A session is a hash, whose fields are
//
//	v  version        s  subject
//	x  expiry, in ms  d  data
//	w  a random name of the last write, by which a write that the client
//	   sends again, because its answer was lost, knows itself
//
// and its lock is a string beside it, in the same slot of a Cluster. Each script
// touches keys of one slot alone. What takes memory comes first in each: after
// another write a script is no longer held to maxmemory.
var (
	// KEYS session, lock; ARGV subject, write, expiry, data.
	createScript = redis.NewScript(`
local old = redis.call('HMGET', KEYS[1], 'v', 'w')
if old[1] then
	if old[1] == '1' and old[2] == ARGV[2] then return 1 end
	return 0
end
redis.call('HSET', KEYS[1], 'v', '1', 's', ARGV[1], 'w', ARGV[2], 'x', ARGV[3], 'd', ARGV[4])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[2])
return 1`)

	// KEYS session; ARGV version, write, expiry, data, subject. It returns the
	// subject where that is another one than was indexed.
	updateScript = redis.NewScript(`
local old = redis.call('HMGET', KEYS[1], 'v', 'w', 's')
if not old[1] then return -1 end
if old[2] == ARGV[2] then return 1 end
if old[1] ~= ARGV[1] then return 0 end
if old[3] ~= ARGV[5] then return old[3] end
redis.call('HSET', KEYS[1], 'w', ARGV[2], 'x', ARGV[3], 'd', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'v', 1)
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1`)

	// KEYS session, lock. It returns the subject.
	deleteScript = redis.NewScript(`
local subject = redis.call('HGET', KEYS[1], 's')
redis.call('DEL', KEYS[1], KEYS[2])
return subject`)

	// KEYS session, lock; ARGV subject. What an index says is not believed.
	deleteOfScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 's') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
return 1`)

	// KEYS session, lock; ARGV holder, lease in ms.
	lockScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1`)

	// KEYS lock; ARGV holder.
	unlockScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

	// The index of a subject is a sorted set of session keys by when they may
	// be dropped. Every writing drops those, and the set lives as long as its
	// last member. KEYS index; ARGV session key, when it may be dropped.
	indexScript = redis.NewScript(`
local old = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not old or tonumber(old) < tonumber(ARGV[2]) then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) end
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1] * 1000 + math.floor(time[2] / 1000))
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2]))) end
return 1`)
)
