#!lua flags=no-writes
-- A chat as one line of a member's inbox. Unread is what is kept above his mark, less the deleted; his own messages
-- are never above it, for sending moves it.
-- KEYS 1 meta  2 members  3 messages  4 deleted  5 marks   ARGV 1 caller
-- Answers {type, name, number of members, the other one of a private chat (else 0), last, seq, mark, unread, packed
-- record of the last message (nil: none)}.
local chat = chat_of(KEYS[1], KEYS[2], ARGV[1])
if not chat then return 'not_found' end
local other = 0
for _, user in ipairs(chat.type == 1 and redis.call('ZRANGE', KEYS[2], 0, -1) or {}) do
  if user ~= ARGV[1] then other = tonumber(user) end
end
local mark = mark_of(redis.call('HGET', KEYS[5], ARGV[1]))
local below = math.max(mark, chat.first - 1)
local unread = chat.last - below - redis.call('ZCOUNT', KEYS[4], '(' .. int(below), '+inf')
return {chat.type, chat.name, redis.call('ZCARD', KEYS[2]), other, chat.last, chat.seq, mark, unread,
  redis.call('HGET', KEYS[3], int(chat.last))}
