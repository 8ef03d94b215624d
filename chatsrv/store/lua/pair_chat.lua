#!lua
-- The private chat of a pair: the one there is, or the candidate from now on.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 candidate chat id
types('hash', 'hash')
local chat = redis.call('HGET', KEYS[1], 'chat')
if chat then return tonumber(chat) end
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'chat', ARGV[3])
redis.call('HSET', KEYS[2], 'c:' .. ARGV[3], ARGV[2] .. ':' .. ARGV[1])
return tonumber(ARGV[3])
