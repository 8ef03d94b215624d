#!lua
-- Take over what a pair says of a user's relation to the other one, unless something as new is known.
-- Where nothing is left between the two, it is remembered for a day.
-- KEYS 1 pairs (other -> version)  2 friends  3 incoming  4 outgoing  5 blocked (by him)  6 blockers (of him)
--      7 state  8 log  9 parted (by time)
-- ARGV 1 channel  2 other  3 version  4 friend  5 incoming  6 outgoing (each 1, 0)
--      7 event (t of op 17, 0: none)  8 its type  9 who did it  10 operation  11 blocked  12 blocker (each 1, 0)
types('hash', 'set', 'set', 'set', 'set', 'set', 'hash', 'stream', 'zset')
if tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or 0) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
for i, flag in ipairs({ARGV[4], ARGV[5], ARGV[6], ARGV[11], ARGV[12]}) do
  redis.call(flag == '1' and 'SADD' or 'SREM', KEYS[i + 1], ARGV[2])
end
local at = now()
if ARGV[4] .. ARGV[5] .. ARGV[6] .. ARGV[11] .. ARGV[12] == '00000' then
  redis.call('ZADD', KEYS[9], int(at), ARGV[2])
else
  redis.call('ZREM', KEYS[9], ARGV[2])
end
forget(KEYS[1], KEYS[9], at)
announce(KEYS[7], KEYS[8], ARGV[1], {2, tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[3]),
  tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10],
  tonumber(ARGV[11])})
return 1
