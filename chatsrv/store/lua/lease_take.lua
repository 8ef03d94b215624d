#!lua
-- Take over leases that ended, to reap them: others look again only after ARGV 1 ms. That of who asks has not ended,
-- whatever the clock says: he lives.
-- KEYS 1 leases  2 reaping   ARGV 1 ms, 2 at most so many  3 lease of who asks
-- Answers the nodes taken over.
local at, taken = now(), {}
for _, key in ipairs({KEYS[1], KEYS[2]}) do
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', int(at), 'LIMIT', 0, ARGV[2])) do
    if node ~= ARGV[3] then taken[#taken + 1] = node end
  end
end
for _, node in ipairs(taken) do
  redis.call('ZADD', KEYS[2], int(at + tonumber(ARGV[1])), node)
  redis.call('ZREM', KEYS[1], node)
end
return taken
