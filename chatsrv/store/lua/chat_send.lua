#!lua
-- Append a batch of messages (group commit). Each is judged in order; one that is refused changes nothing.
-- KEYS 1 meta  2 members  3 messages  4 log
-- ARGV 1 channel  2 operation  3 log limit, then per message: sender, chat type, text
-- Answers {time, result...}: per message {seq, message_id}, or the code of its refusal.
types('hash', 'zset', 'hash', 'stream')
local chat = fields(KEYS[1], 'type', 'seq', 'last', 'clock', 'gone')
local exists = chat.type and not chat.gone
local at = exists and math.max(now(), tonumber(chat.clock)) or 0
local seq, last = tonumber(chat.seq), tonumber(chat.last)
local member, results, batch = {}, {at}, {}
for i = 4, #ARGV, 3 do
  local sender, kind, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if member[sender] == nil then
    member[sender] = exists and redis.call('ZSCORE', KEYS[2], sender) and true or false
  end
  if not member[sender] then
    results[#results + 1] = 'not_found'
  elseif kind ~= chat.type then
    results[#results + 1] = 'wrong_chat_type'
  else
    seq, last = seq + 1, last + 1
    results[#results + 1] = {seq, last}
    batch[#batch + 1] = {MESSAGE, seq, at, tonumber(sender), tonumber(kind), last, text, tonumber(sender)}
  end
end
if #batch == 0 then return results end
redis.call('HSET', KEYS[1], 'seq', int(seq), 'last', int(last), 'clock', int(at))
for _, event in ipairs(batch) do
  redis.call('HSET', KEYS[3], int(event[6]), cmsgpack.pack({event[4], at, event[7], 0, 0}))
  append(KEYS[4], ARGV[3], event[2], {MESSAGE, event[6]})
end
redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], batch}))
return results
