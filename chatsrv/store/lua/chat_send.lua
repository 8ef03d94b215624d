#!lua
-- Append a batch of messages (group commit). Each is judged in order; one that is refused changes nothing.
-- KEYS 1 meta  2 members  3 messages  4 marks, and where a message has a nonce or not all are kept for ever
--      5 deleted  6, 7 nonces
-- ARGV 1 channel, with 7 keys 2 messages kept (0: all)  3 for so many ms (0: for ever)  4 nonce window in ms; then
--      operation, a channel that nobody but the caller's subscriber hears ('': none), and packed {sender, chat type,
--      text, nonce ('': none), reply_to (0: none)} per message; or, of one plain message, sender, chat type, text
-- Answers {time, result...}: per message {seq, message_id}; these and sent_at of the one that came before with its
-- nonce; or the code of its refusal.
local call, pack = redis.call, cmsgpack.pack
local kind, seq, last, clock, blocked = unpack(call('HMGET', KEYS[1], 'type', 'seq', 'last', 'clock', 'blocked'))
local time = now()
local at = math.max(time, tonumber(clock or 0))
local plain, extended = #ARGV == 6, #KEYS > 4
local operation, own, batch = unpack(ARGV, plain and 2 or #ARGV - 2)

-- The caller, if he lives and is alone on the channel, needs no event: he has the answer. NUMSUB may be forbidden.
local listeners = own ~= '' and redis.pcall('PUBSUB', 'NUMSUB', ARGV[1], own)
local publishes = not listeners or listeners.err or listeners[2] > 1 or listeners[4] < 1

-- One plain message, which most are: the same as below, in a straight line.
if plain then
  local sender, text = ARGV[4], ARGV[6]
  if not call('ZSCORE', KEYS[2], sender) then return {at, 'not_found'} end
  if ARGV[5] ~= kind then return {at, 'wrong_chat_type'} end
  if blocked == '1' then return {at, 'forbidden'} end
  seq, last = seq + 1, last + 1
  local id, at_text, author = int(last), int(at), tonumber(sender)
  call('HLEN', KEYS[3]) -- before the first write, which says so itself: is it a hash?
  call('HSET', KEYS[4], sender, id)
  call('HSET', KEYS[1], 'seq', int(seq), 'last', id, 'clock', at_text, 'active', at_text)
  call('HSET', KEYS[3], id, record_of(author, at, text, 0, 0, 0, 0))
  if publishes then
    call('PUBLISH', ARGV[1], pack({operation, {{MESSAGE, seq, at, author, tonumber(kind), last, text, author}}}))
  end
  return {at, {seq, last}}
end

local drafts, new = cmsgpack.unpack(batch), 0
local first, id
kind, seq, last = tonumber(kind), tonumber(seq), tonumber(last)

-- By sender and nonce, {message_id, seq, sent_at, digest}. They are in two hashes that take turns, a window each; Redis
-- drops each a window after the end of its turn, so that a nonce is known for one to two windows. Kept are digests alone,
-- that of the message with the nonce in it: nobody finds a deleted text again by trying what it may have been.
local known, names, digests, remembered
if extended then
  local sha1, asked = redis.sha1hex, {}
  known, names, digests, remembered = {}, {}, {}, {}
  for i, draft in ipairs(drafts) do
    if draft[4] ~= '' then
      names[i] = string.sub(sha1(int(draft[1]) .. ':' .. draft[4]), 1, 24)
      digests[i] = string.sub(sha1(draft[4] .. '\0' .. draft[2] .. '\0' .. int(draft[5]) .. '\0' .. draft[3]), 1, 16)
      asked[#asked + 1] = names[i]
    end
  end
  for key = 6, #asked > 0 and 7 or 0 do
    for n, packed in ipairs(call('HMGET', KEYS[key], unpack(asked))) do
      if packed then known[asked[n]] = cmsgpack.unpack(packed) end
    end
  end
end

local results, member, marks, records, events = {at}, {}, {}, {}, publishes and {}
for i, draft in ipairs(drafts) do
  local sender, reply_to, verdict = draft[1], draft[5], nil
  local author = int(sender)
  if member[author] == nil then member[author] = call('ZSCORE', KEYS[2], author) end
  local name = names and names[i]
  local earlier = name and known[name]
  if not member[author] then
    verdict = 'not_found'
  elseif draft[2] ~= kind then
    verdict = 'wrong_chat_type'
  elseif earlier then
    verdict = earlier[4] == digests[i] and {earlier[2], earlier[1], earlier[3]} or 'conflict'
  else
    if reply_to > 0 then
      first = first or tonumber(call('HGET', KEYS[1], 'first') or 1)
      if reply_to < first or reply_to > last then verdict = 'not_found' end
    end
    if blocked == '1' then verdict = verdict or 'forbidden' end
  end
  if not verdict then
    seq, last, new = seq + 1, last + 1, new + 1
    id, verdict = int(last), {seq, last}
    marks[author] = id
    records[2 * new - 1], records[2 * new] = id, record_of(sender, at, draft[3], 0, 0, 0, reply_to)
    if publishes then
      events[new] = {MESSAGE, seq, at, sender, kind, last, draft[3], sender}
      if reply_to > 0 then
        for j, rest in ipairs({'', 0, {}, {}, {}, false, false, reply_to}) do events[new][8 + j] = rest end
      end
    end
    if name then
      known[name] = {last, seq, at, digests[i]}
      remembered[#remembered + 1], remembered[#remembered + 2] = name, pack(known[name])
    end
  end
  results[i + 1] = verdict
end
if new == 0 then return results end

local at_text, read = int(at), {}
local trims = extended and (ARGV[2] ~= '0' or ARGV[3] ~= '0')
call('HLEN', KEYS[3])
if trims then call('ZCARD', KEYS[5]) end
for author, mark in pairs(marks) do read[#read + 1], read[#read + 2] = author, mark end
call('HSET', KEYS[4], unpack(read))
call('HSET', KEYS[1], 'seq', int(seq), 'last', id, 'clock', at_text, 'active', at_text)
call('HSET', KEYS[3], unpack(records))
if extended and #remembered > 0 then
  local window = tonumber(ARGV[4])
  local turn = math.floor(time / window)
  local key = KEYS[6 + turn % 2]
  call('HSET', key, unpack(remembered))
  call('PEXPIREAT', key, int((turn + 2) * window - 1)) -- a key still lives in the ms it expires at
end

-- Messages beyond what is kept go, a bounded number at a time, so that a lowered setting never holds Redis up.
if trims then
  local keep, age = tonumber(ARGV[2]), tonumber(ARGV[3])
  first = first or tonumber(call('HGET', KEYS[1], 'first') or 1)
  local kept, most = first, first + 100 + 2 * new
  local function is_old(id)
    local record = call('HGET', KEYS[3], int(id))
    return not record or cmsgpack.unpack(record)[2] < at - age
  end
  if keep > 0 then kept = math.min(most, math.max(first, last - keep + 1)) end
  while age > 0 and kept < most and is_old(kept) do kept = kept + 1 end
  if kept > first then
    local ids = {}
    for id = first, kept - 1 do ids[#ids + 1] = int(id) end
    call('HDEL', KEYS[3], unpack(ids))
    call('ZREMRANGEBYSCORE', KEYS[5], '-inf', '(' .. int(kept))
    call('HSET', KEYS[1], 'first', int(kept))
  end
end
if publishes then call('PUBLISH', ARGV[1], pack({operation, events})) end
return results
