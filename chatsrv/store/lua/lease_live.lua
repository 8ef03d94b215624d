#!lua flags=no-writes
-- The nodes whose lease has not ended.   KEYS 1 leases
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(now()), '+inf')
