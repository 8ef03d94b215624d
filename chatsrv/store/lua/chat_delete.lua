#!lua
-- Erase the text of a message; its author may, and the owner of a group, also while blocked. A tombstone stays.
-- KEYS 1 meta  2 members  3 messages  4 log  5 deleted
-- ARGV 1 channel  2 operation  3 log limit  4 caller  5 message id
-- Answers {packed event, 1}, or {packed present state, 0} when it was deleted before.
types('hash', 'zset', 'hash', 'stream', 'zset')
local chat = chat_of(KEYS[1], KEYS[2], ARGV[4])
if not chat then return 'not_found' end
local record = redis.call('HGET', KEYS[3], ARGV[5])
if not record then return 'not_found' end
local author, sent_at, text, edited_at, _, deleter, reply_to = unpack(cmsgpack.unpack(record))
local caller, message = tonumber(ARGV[4]), tonumber(ARGV[5])
if author ~= caller and (chat.type ~= 2 or chat.owner ~= caller) then return 'forbidden' end
if not text then
  return {cmsgpack.pack({DELETED, chat.seq, edited_at, deleter, chat.type, message, '', author}), 0}
end
local at, seq = tick(chat), chat.seq + 1
local answer = change_message(chat, message, seq, at, record_of(author, sent_at, false, at, seq, caller, reply_to or 0),
  {DELETED, seq, at, caller, chat.type, message, '', author})
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[5])
return answer
