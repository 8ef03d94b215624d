#!lua
-- Take over what a chat says of a user's membership, unless something as new is known. The list of chats holds
-- the version of each: positive for a member, negative for one who left (kept for a day).
-- KEYS 1 chats  2 left (by time)  3 state  4 log
-- ARGV 1 channel  2 chat id  3 member (1, 0)  4 version (seq of the chat's event)
types('hash', 'zset', 'hash', 'stream')
local known, version = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or 0), tonumber(ARGV[4])
if math.abs(known) >= version then return 0 end
local at = now()
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], ARGV[2], int(version))
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[2], '-' .. int(version))
  redis.call('ZADD', KEYS[2], int(at), ARGV[2])
end
forget(KEYS[1], KEYS[2], at)
announce(KEYS[3], KEYS[4], ARGV[1], {1, tonumber(ARGV[2]), tonumber(ARGV[3]), version})
return 1
