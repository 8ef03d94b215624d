#!lua flags=no-writes
-- All lists of a user that are his to see, and the rev they are of, at one moment.
-- KEYS 1 chats  2 friends  3 incoming  4 outgoing  5 blocked  6 state  7 revoked
-- Answers {rev, time, {chat, version, ...}, friends, incoming, outgoing, blocked, {field of revoked, value, ...}}.
local lists = {tonumber(redis.call('HGET', KEYS[6], 'rev') or 0), now(), redis.call('HGETALL', KEYS[1])}
for i = 2, 5 do lists[#lists + 1] = redis.call('SMEMBERS', KEYS[i]) end
lists[#lists + 1] = redis.call('HGETALL', KEYS[7])
return lists
