#!lua
-- Bind a nonce of a user to the group that it makes, once: whoever was first wins.
-- KEYS 1 nonce   ARGV 1 digest of the request  2 candidate chat id (0: only look)  3 ms to keep it
-- Answers the chat id bound (0: none); conflict when it is bound by another request.
types('hash')
local bound = fields(KEYS[1], 'digest', 'chat')
if bound.chat then return bound.digest == ARGV[1] and tonumber(bound.chat) or 'conflict' end
if ARGV[2] ~= '0' then
  redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'chat', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return tonumber(ARGV[2])
