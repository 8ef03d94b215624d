#!lua
-- Create a chat, once: a repeat answers the present state and changes nothing.
-- KEYS 1 meta  2 members  3 log  4 handoff
-- ARGV 1 channel  2 operation  3 log limit  4 type  5 name  6 owner (0: private)  7 by  8.. members
-- Answers {packed event, 1}, or {packed present state, 0} when the chat exists; not_found when it was deleted, or
-- `by` is no member any more.
types('hash', 'zset', 'stream', 'hash')
local chat = fields(KEYS[1], 'type', 'name', 'owner', 'seq', 'created', 'gone')
if chat.gone then return 'not_found' end
if chat.type then
  if not redis.call('ZSCORE', KEYS[2], ARGV[7]) then return 'not_found' end
  return {cmsgpack.pack({CREATED, tonumber(chat.seq), tonumber(chat.created), tonumber(ARGV[7]), tonumber(chat.type),
    0, '', 0, chat.name, tonumber(chat.owner), members_of(KEYS[2]), {}, {}}), 0}
end
local at = now()
redis.call('HSET', KEYS[1], 'type', ARGV[4], 'name', ARGV[5], 'owner', ARGV[6], 'created', int(at),
  'seq', 1, 'last', 0, 'clock', int(at), 'active', int(at))
for i = 8, #ARGV do
  redis.call('ZADD', KEYS[2], 1, ARGV[i])
  redis.call('HSET', KEYS[4], 'u:' .. ARGV[i], '1:1')
end
append(KEYS[3], ARGV[3], 1, {CREATED, 0, at, tonumber(ARGV[7]), ARGV[5], tonumber(ARGV[6])})
local event = {CREATED, 1, at, tonumber(ARGV[7]), tonumber(ARGV[4]), 0, '', 0, ARGV[5], tonumber(ARGV[6]),
  members_of(KEYS[2]), {}, {}}
redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], {event}}))
return {cmsgpack.pack(event), 1}
