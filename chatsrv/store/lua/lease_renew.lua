#!lua
-- Renew a node's lease, or take a new one out.
-- KEYS 1 leases   ARGV 1 lease  2 length in ms  3 new (1, 0)
-- Answers 1, or 0 when the lease is gone (and was not asked to be new).
types('zset')
if ARGV[3] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], int(now() + tonumber(ARGV[2])), ARGV[1])
return 1
