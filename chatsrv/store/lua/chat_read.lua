#!lua
-- A member has read up to a message; his mark never moves back. A message that is no longer kept counts.
-- KEYS 1 meta  2 members  3 marks   ARGV 1 channel  2 operation  3 caller  4 session  5 message id
-- Answers the mark as it is now.
types('hash', 'zset', 'hash')
local chat, message = chat_of(KEYS[1], KEYS[2], ARGV[3]), tonumber(ARGV[5])
if not chat or message < 1 or message > chat.last then return 'not_found' end
local mark = mark_of(redis.call('HGET', KEYS[3], ARGV[3]))
if message <= mark then return mark end
redis.call('HSET', KEYS[3], ARGV[3], int(message) .. ':' .. int(now()))
signal(READ, chat, ARGV[3], ARGV[4], message)
return message
