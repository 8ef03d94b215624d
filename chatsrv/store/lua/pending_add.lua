#!lua
-- Note an operation whose handoff log must be delivered.
-- KEYS 1 pending   ARGV 1 member
return redis.call('ZADD', KEYS[1], int(now()), ARGV[1])
