#!lua flags=allow-oom
-- Tell the members that one of them is typing; writes nothing.
-- KEYS 1 meta  2 members   ARGV 1 channel  2 operation  3 caller  4 session
-- Answers 1.
local chat = chat_of(KEYS[1], KEYS[2], ARGV[3])
if not chat then return 'not_found' end
if chat.blocked then return 'forbidden' end
signal(TYPING, chat, ARGV[3], ARGV[4], 0)
return 1
