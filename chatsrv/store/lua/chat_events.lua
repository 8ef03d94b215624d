#!lua flags=no-writes
-- Events after a position, oldest first: texts as they are now; names, owners and members as they were then, or now.
-- KEYS 1 meta  2 members  3 messages  4 log
-- ARGV 1 after this seq  2 at most so many  3 names, owners and members as they are now (0, 1)  4 log limit  5.. users
-- Answers {head, 1 if deleted or never there, packed list of events, per user since when he is a member (0: he is
-- not)}. Events beyond the limit, or before all that the log still has, are missing, and so are those up to one of a
-- message no longer kept.
local chat = fields(KEYS[1], 'type', 'name', 'owner', 'seq', 'last', 'gone')
local since = {}
for i = 5, #ARGV do since[i - 4] = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or 0) end
if not chat.type or chat.gone then return {tonumber(chat.seq or 0), 1, cmsgpack.pack({}), since} end
local kind, head, present = tonumber(chat.type), tonumber(chat.seq), ARGV[3] == '1'

-- Rows of the log as {[seq] = entry}, and these in the order given.
local function read(command, from, to, ...)
  local entries, order = {}, {}
  for i, row in ipairs(redis.call(command, KEYS[4], from, to, ...)) do
    order[i] = tonumber(string.match(row[1], '^%d+'))
    entries[order[i]] = cmsgpack.unpack(row[2][2])
  end
  return entries, order
end

local _, oldest = read('XRANGE', '-', '+', 'COUNT', 1)
local begin = math.max(tonumber(ARGV[1]) + 1, head - tonumber(ARGV[4]) + 1, oldest[1] or head + 1)
local stop = math.min(head, begin + tonumber(ARGV[2]) - 1)
if stop < begin then return {head, 0, cmsgpack.pack({}), since} end
local entries, order = read('XRANGE', int(begin) .. '-0', int(stop) .. '-0')
-- A page names no more members than 20,000, or is one event: what each change costs here grows with the members.
local changes, members = 0, nil
for _, seq in ipairs(order) do
  if entries[seq][1] <= CHANGED then
    changes, members = changes + 1, members or redis.call('ZCARD', KEYS[2])
    if changes > 1 and changes * members > 20000 then
      stop = seq - 1
      break
    end
  end
end

-- The last message as of the last event wanted; from there on back all others follow. Where a row says otherwise, the
-- log is damaged, and what lies before is missing.
local behind = '(' .. int(stop) .. '-0'
local following, at = read('XRANGE', behind, '+', 'COUNT', 1)
local last = tonumber(chat.last) - (head - stop)
if at[1] then last = following[at[1]][2] - (at[1] - 1 - stop) end
local ids, seqs, records = {}, {}, {}
for seq = stop, begin, -1 do
  if not entries[seq] or entries[seq][1] == MESSAGE then -- they had rows once
    entries[seq] = {MESSAGE, 0, last}
    last = last - 1
  elseif entries[seq][2] ~= last then
    begin = seq + 1
    break
  end
  if entries[seq][1] > CHANGED then ids[#ids + 1], seqs[#seqs + 1] = int(entries[seq][3]), seq end
end
for n, record in ipairs(#ids > 0 and redis.call('HMGET', KEYS[3], unpack(ids)) or {}) do
  records[seqs[n]] = record
  if not record then begin = math.max(begin, seqs[n] + 1) end
end

-- Members as they were: from those of now, undo one change after the other, back from the head.
local users = {}
local function undo(entry)
  if present or entry[1] ~= CHANGED then return end
  for _, user in ipairs(entry[7]) do users[user] = nil end
  for _, user in ipairs(entry[8]) do users[user] = true end
end
local function users_then()
  local list = {}
  for user in pairs(users) do list[#list + 1] = user end
  table.sort(list)
  return list
end
if changes > 0 then
  for _, user in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do users[tonumber(user)] = true end
  if not present then
    local later, back = read('XREVRANGE', '+', behind)
    for _, seq in ipairs(back) do undo(later[seq]) end
  end
end

local function change_event(seq, entry)
  local name, owner = entry[5], entry[6]
  if present then name, owner = chat.name, tonumber(chat.owner) end
  return {entry[1], seq, entry[3], entry[4], kind, 0, '', 0, name, owner, users_then(), entry[7] or {}, entry[8] or {}}
end
local function message_event(seq, entry, record)
  local what, author, sent_at, text, changed_at, changed_by, _, reply_to = entry[1], unpack(cmsgpack.unpack(record))
  local at, by = sent_at, author
  if what ~= MESSAGE then at, reply_to = changed_at, 0 end
  if what == DELETED then by = entry[4] end
  return {what, seq, at, by, kind, entry[3], text or '', author, '', 0, {}, {}, {}, not text, changed_by > seq,
    reply_to or 0}
end

local events = {}
for seq = stop, begin, -1 do
  local event_of = records[seq] and message_event or change_event
  events[seq - begin + 1] = event_of(seq, entries[seq], records[seq])
  undo(entries[seq])
end
return {head, 0, cmsgpack.pack(events), since}
