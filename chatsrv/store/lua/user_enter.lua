#!lua
-- Note a session of a user.
-- KEYS 1 sessions (by time)   ARGV 1 session  2 at most so many
-- Answers all of them, oldest first, when there are more than that; else nothing.
types('zset')
redis.call('ZADD', KEYS[1], int(now()), ARGV[1])
if redis.call('ZCARD', KEYS[1]) <= tonumber(ARGV[2]) then return {} end
return redis.call('ZRANGE', KEYS[1], 0, -1)
