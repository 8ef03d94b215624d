#!lua
-- The epoch of this store, which is the candidate from now on when there was none.
-- KEYS 1 epoch   ARGV 1 candidate
types('string')
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
