#!lua
-- The private chat of a pair: the one there is, or the candidate from now on; forbidden as long as there is none
-- and either blocks.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other  4 candidate chat id
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if pair.chat then return tonumber(pair.chat) end
if pair.blocks or pair.blocked then return 'forbidden' end
next_version(pair)
redis.call('HSET', KEYS[1], 'chat', ARGV[4], 'creator', ARGV[2], 'opened', ARGV[1])
redis.call('PERSIST', KEYS[1])
hand_over_chat(ARGV[2], ARGV[3])
return tonumber(ARGV[4])
