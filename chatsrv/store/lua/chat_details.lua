#!lua flags=no-writes
-- All about a chat, for one of its members.
-- KEYS 1 meta  2 members  3 marks   ARGV 1 caller
-- Answers {type, name, owner, created, last, seq, members, marks (user, message, ...)}.
local chat = chat_of(KEYS[1], KEYS[2], ARGV[1])
if not chat then return 'not_found' end
local marks = redis.call('HGETALL', KEYS[3])
for i = 1, #marks, 2 do marks[i], marks[i + 1] = tonumber(marks[i]), mark_of(marks[i + 1]) end
return {chat.type, chat.name, chat.owner, chat.created, chat.last, chat.seq, members_of(KEYS[2]), marks}
