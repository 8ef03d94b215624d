#!lua
-- Replace the text of one's own message.
-- KEYS 1 meta  2 members  3 messages  4 log
-- ARGV 1 channel  2 operation  3 log limit  4 caller  5 message id  6 text
-- Answers {packed event, 1}, or {packed present state, 0} when the text was the same.
types('hash', 'zset', 'hash', 'stream')
local chat = chat_of(KEYS[1], KEYS[2], ARGV[4])
if not chat then return 'not_found' end
local record = redis.call('HGET', KEYS[3], ARGV[5])
if not record then return 'not_found' end
local author, sent_at, text, edited_at, _, _, reply_to = unpack(cmsgpack.unpack(record))
if not text then return 'not_found' end
if author ~= tonumber(ARGV[4]) or chat.blocked then return 'forbidden' end
local message = tonumber(ARGV[5])
if text == ARGV[6] then
  return {cmsgpack.pack({EDITED, chat.seq, edited_at, author, chat.type, message, text, author}), 0}
end
local at, seq = tick(chat), chat.seq + 1
return change_message(chat, message, seq, at, record_of(author, sent_at, ARGV[6], at, seq, 0, reply_to or 0),
  {EDITED, seq, at, author, chat.type, message, ARGV[6], author})
