#!lua
-- Rename a group, add and remove members, in one event. The last member leaving deletes the chat: texts,
-- members and events go, a stub (gone, seq) stays with the handoff log: for as long as a retry of its creation, by whose
-- nonce it is found, must not make it again.
-- KEYS 1 meta  2 members  3 messages  4 log  5 handoff  6 marks  7 deleted  8, 9 nonces
-- ARGV 1 channel  2 operation  3 log limit  4 caller  5 most members  6 rename (0, 1; 2: unless the name is
--      empty and a list is not)  7 name  8 ms to keep a stub  9 number of users to add, then these, then those to
--      remove
-- Answers {packed event, 1}, or {packed present state, 0} when nothing changed.
types('hash', 'zset', 'hash', 'stream', 'hash', 'hash', 'zset', 'hash', 'hash')
local chat = chat_of(KEYS[1], KEYS[2], ARGV[4])
if not chat then return 'not_found' end
if chat.type ~= 2 then return 'wrong_chat_type' end
local caller, last_added = tonumber(ARGV[4]), 9 + tonumber(ARGV[9])
for i = last_added + 1, #ARGV do
  if ARGV[i] ~= ARGV[4] and chat.owner ~= caller then return 'forbidden' end
end
local added, removed, leaving = {}, {}, {}
for i = 10, last_added do
  if not leaving[ARGV[i]] and not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    leaving[ARGV[i]] = true
    added[#added + 1] = tonumber(ARGV[i])
  end
end
for i = last_added + 1, #ARGV do
  if not leaving[ARGV[i]] and redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    leaving[ARGV[i]] = true
    removed[#removed + 1] = tonumber(ARGV[i])
  end
end
local count = redis.call('ZCARD', KEYS[2]) + #added - #removed
if #added > 0 and count > tonumber(ARGV[5]) then return 'limit_reached' end
local name = chat.name
if ARGV[6] == '1' or (ARGV[6] == '2' and (ARGV[7] ~= '' or #ARGV == 9)) then name = ARGV[7] end
local function event_of(seq, at, users)
  return {CHANGED, seq, at, caller, chat.type, 0, '', 0, name, chat.owner, users, added, removed}
end
if #added == 0 and #removed == 0 and name == chat.name then
  return {cmsgpack.pack(event_of(chat.seq, chat.clock, members_of(KEYS[2]))), 0}
end

local at, seq = tick(chat), chat.seq + 1
redis.call('HSET', KEYS[1], 'seq', int(seq), 'clock', int(at), 'active', int(at), 'name', name)
for _, user in ipairs(added) do
  redis.call('ZADD', KEYS[2], int(seq), int(user))
  redis.call('HSET', KEYS[5], 'u:' .. int(user), '1:' .. int(seq))
  if chat.last > 0 then redis.call('HSET', KEYS[6], int(user), int(chat.last)) end
end
for _, user in ipairs(removed) do
  redis.call('ZREM', KEYS[2], int(user))
  redis.call('HSET', KEYS[5], 'u:' .. int(user), '0:' .. int(seq))
  redis.call('HDEL', KEYS[6], int(user))
end
if count == 0 then
  name, chat.owner = '', 0
  redis.call('HSET', KEYS[1], 'gone', 1, 'name', '', 'owner', 0)
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], unpack(KEYS, 6))
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
else
  if not redis.call('ZSCORE', KEYS[2], int(chat.owner)) then
    local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], first[2], first[2])) do
      if tonumber(user) < tonumber(first[1]) then first[1] = user end
    end
    chat.owner = tonumber(first[1])
    redis.call('HSET', KEYS[1], 'owner', first[1])
  end
  append(KEYS[4], ARGV[3], seq, {CHANGED, chat.last, at, caller, name, chat.owner, added, removed})
end
local event = event_of(seq, at, members_of(KEYS[2]))
redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], {event}}))
return {cmsgpack.pack(event), 1}
