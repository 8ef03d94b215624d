#!lua flags=no-writes
-- The nodes whose lease nobody took over. One that ended counts until it is reaped, for an outage of the store ends
-- all leases at once and nobody is told when they are renewed.   KEYS 1 leases
return redis.call('ZRANGE', KEYS[1], 0, -1)
