#!lua flags=no-writes
-- Where a chat stands, and whether a user is in it, at one moment.
-- KEYS 1 meta  2 members   ARGV 1 user (0: nobody in particular)
-- Answers {seq, since when the user is a member (0: he is not), 1 if the chat was deleted, when it was active}; seq 0:
-- no such chat.
local chat = fields(KEYS[1], 'seq', 'gone', 'active')
local member = ARGV[1] ~= '0' and redis.call('ZSCORE', KEYS[2], ARGV[1])
return {tonumber(chat.seq or 0), tonumber(member or 0), chat.gone and 1 or 0, tonumber(chat.active or 0)}
