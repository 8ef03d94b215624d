#!lua
-- A private chat takes over from its pair whether one of the two blocks the other.
-- KEYS 1 meta   ARGV 1 version of the pair  2 blocked (0, 1)
-- Answers 1; 0 when there is no such chat, or it knows as much.
types('hash')
local chat = fields(KEYS[1], 'type', 'block_version', 'gone')
if not chat.type or chat.gone or tonumber(ARGV[1]) <= tonumber(chat.block_version or 0) then return 0 end
redis.call('HSET', KEYS[1], 'blocked', ARGV[2], 'block_version', ARGV[1])
return 1
