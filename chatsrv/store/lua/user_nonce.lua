#!lua
-- Bind a nonce of a user to the group that it makes, once: whoever was first wins. What the group costs of what he may
-- do in an hour is spent with it, at once: a repeat finds it bound, and paid for.
-- KEYS 1 nonce  2 rates
-- ARGV 1 digest of the request  2 candidate chat id (0: only look)  3 ms to keep it
--      4.. what to spend, for each: what, most in an hour, how many
-- Answers {the chat id bound (0: none), 0, or the ms after which there is enough to bind it}; conflict when it is bound
-- by another request.
types('hash', 'hash')
local bound = fields(KEYS[1], 'digest', 'chat')
if bound.chat then return bound.digest == ARGV[1] and {tonumber(bound.chat), 0} or 'conflict' end
if ARGV[2] == '0' then return {0, 0} end
local wait = spend(KEYS[2], 4)
if wait > 0 then return {0, wait} end
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'chat', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {tonumber(ARGV[2]), 0}
