#!lua flags=no-writes
-- Operations noted longer ago than ARGV 1 ms, at most ARGV 2.   KEYS 1 pending
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now() - tonumber(ARGV[1])), 'LIMIT', 0, ARGV[2])
