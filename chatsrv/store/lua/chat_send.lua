#!lua
-- Append a batch of messages (group commit). Each is judged in order; one that is refused changes nothing.
-- KEYS 1 messages  2 log  3 deleted  4 meta  5 members  6 marks  7, 8 nonces
-- ARGV 1 channel  2 operation  3 log limit  4 messages kept (0: all)  5 for so many ms (0: for ever)  6 nonce window
--      in ms, then per message: sender, chat type, text, nonce ('': none), reply_to (0: none)
-- Answers {time, result...}: per message {seq, message_id}; these and sent_at of the one that came before with its
-- nonce; or the code of its refusal.
local keep, age, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
types('hash', 'stream', keep + age > 0 and 'zset' or nil) -- the other keys are read before the first write, or are it
local chat = fields(KEYS[4], 'type', 'seq', 'last', 'first', 'clock', 'blocked', 'gone')
local exists, time = chat.type and not chat.gone, now()
local at = exists and math.max(time, tonumber(chat.clock)) or 0
local seq, last, first = tonumber(chat.seq), tonumber(chat.last), tonumber(chat.first or 1)

-- By sender and nonce, {message_id, seq, sent_at, digest}. They are in two hashes that take turns, a window each; Redis
-- drops each a window after the end of its turn, so that a nonce is known for one to two windows. Kept are digests alone,
-- that of the message with the nonce in it: nobody finds a deleted text again by trying what it may have been.
local known, remembered, names_of = {}, {}, {}
local function name_of(sender, nonce)
  local plain = sender .. ':' .. nonce
  names_of[plain] = names_of[plain] or string.sub(redis.sha1hex(plain), 1, 24)
  return names_of[plain]
end
local function recall()
  local names = {}
  for i = 7, #ARGV, 5 do
    if ARGV[i + 3] ~= '' then names[#names + 1] = name_of(ARGV[i], ARGV[i + 3]) end
  end
  for i = 7, #names > 0 and 8 or 0 do
    for n, packed in ipairs(redis.call('HMGET', KEYS[i], unpack(names))) do
      if packed then known[names[n]] = cmsgpack.unpack(packed) end
    end
  end
end
local function remember(name, digest)
  known[name] = {last, seq, at, digest}
  remembered[#remembered + 1] = name
  remembered[#remembered + 1] = cmsgpack.pack(known[name])
end
local function keep_remembered()
  local turn = math.floor(time / window)
  local key = KEYS[7 + turn % 2]
  redis.call('HSET', key, unpack(remembered))
  redis.call('PEXPIREAT', key, int((turn + 2) * window - 1)) -- a key still lives in the ms it expires at
end

local member = {}
local function is_member(user)
  if member[user] == nil then
    member[user] = exists and redis.call('ZSCORE', KEYS[5], user) and true or false
  end
  return member[user]
end

local marks, records, events = {}, {}, {}
local function take(sender, kind, text, reply_to)
  seq, last = seq + 1, last + 1
  local id, author, to = int(last), tonumber(sender), tonumber(reply_to)
  local event = {MESSAGE, seq, at, author, tonumber(kind), last, text, author}
  if to > 0 then
    for i, rest in ipairs({'', 0, {}, {}, {}, false, false, to}) do event[8 + i] = rest end
  end
  events[#events + 1] = event
  marks[#marks + 1], marks[#marks + 2] = sender, id
  records[#records + 1], records[#records + 2] = id, record_of(author, at, text, 0, 0, 0, to)
  return {seq, last}
end

local function judge(sender, kind, text, nonce, reply_to)
  if not is_member(sender) then return 'not_found' end
  if kind ~= chat.type then return 'wrong_chat_type' end
  local name = nonce ~= '' and name_of(sender, nonce)
  local digest = name and string.sub(redis.sha1hex(table.concat({nonce, kind, reply_to, text}, '\0')), 1, 16)
  local earlier = known[name]
  if earlier then return earlier[4] == digest and {earlier[2], earlier[1], earlier[3]} or 'conflict' end
  if reply_to ~= '0' and (tonumber(reply_to) < first or tonumber(reply_to) > last) then return 'not_found' end
  if chat.blocked == '1' then return 'forbidden' end
  local result = take(sender, kind, text, reply_to)
  if name then remember(name, digest) end
  return result
end

-- Messages beyond what is kept go, a bounded number at a time, so that a lowered setting never holds Redis up.
local function is_old(id)
  local record = redis.call('HGET', KEYS[1], int(id))
  return not record or cmsgpack.unpack(record)[2] < at - age
end
local function trim()
  local kept, most = first, first + 100 + 2 * #events
  if keep > 0 then kept = math.min(most, math.max(first, last - keep + 1)) end
  while age > 0 and kept < most and is_old(kept) do kept = kept + 1 end
  if kept == first then return end
  local ids = {}
  for id = first, kept - 1 do ids[#ids + 1] = int(id) end
  redis.call('HDEL', KEYS[1], unpack(ids))
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. int(kept))
  redis.call('HSET', KEYS[4], 'first', int(kept))
end

recall()
local results = {at}
for i = 7, #ARGV, 5 do results[#results + 1] = judge(unpack(ARGV, i, i + 4)) end
if #events == 0 then return results end
redis.call('HSET', KEYS[6], unpack(marks))
redis.call('HSET', KEYS[4], 'seq', int(seq), 'last', int(last), 'clock', int(at), 'active', int(at))
redis.call('HSET', KEYS[1], unpack(records))
for _, event in ipairs(events) do append(KEYS[2], ARGV[3], event[2], {MESSAGE, event[6]}) end
if #remembered > 0 then keep_remembered() end
trim()
redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], events}))
return results
