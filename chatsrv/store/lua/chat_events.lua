#!lua flags=no-writes
-- Events after a position, oldest first: texts as they are now; names, owners and members as they were then, or now.
-- KEYS 1 meta  2 members  3 messages  4 log
-- ARGV 1 after this seq  2 at most so many  3 names, owners and members as they are now (0, 1)  4.. users
-- Answers {head, 1 if deleted or never there, packed list of events, per user since when he is a member (0: he is
-- not)}. Events that the log no longer has are missing, and so are those up to one of a message no longer kept.
local chat = fields(KEYS[1], 'type', 'name', 'owner', 'seq', 'gone')
local since = {}
for i = 4, #ARGV do since[i - 3] = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or 0) end
if not chat.type or chat.gone then return {tonumber(chat.seq or 0), 1, cmsgpack.pack({}), since} end
local kind, present = tonumber(chat.type), ARGV[3] == '1'

local rows = redis.call('XRANGE', KEYS[4], int(tonumber(ARGV[1]) + 1) .. '-0', '+', 'COUNT', ARGV[2])
local entries, ids, row_of, records, begin = {}, {}, {}, {}, 1
for i, row in ipairs(rows) do
  entries[i] = cmsgpack.unpack(row[2][2])
  if entries[i][1] > CHANGED then
    ids[#ids + 1] = int(entries[i][2])
    row_of[#ids] = i
  end
end
for n, record in ipairs(#ids > 0 and redis.call('HMGET', KEYS[3], unpack(ids)) or {}) do
  records[row_of[n]] = record
  if not record then begin = row_of[n] + 1 end
end

-- Members as they were: from those of now, undo one change after the other, back from the head.
local users = {}
local function undo(entry)
  if present or entry[1] ~= CHANGED then return end
  for _, user in ipairs(entry[6]) do users[user] = nil end
  for _, user in ipairs(entry[7]) do users[user] = true end
end
local function users_then()
  local list = {}
  for user in pairs(users) do list[#list + 1] = user end
  table.sort(list)
  return list
end
if #rows > #ids then
  for _, user in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do users[tonumber(user)] = true end
  local later = present and {} or redis.call('XREVRANGE', KEYS[4], '+', '(' .. rows[#rows][1])
  for _, row in ipairs(later) do undo(cmsgpack.unpack(row[2][2])) end
end

local function change_event(seq, entry)
  local name, owner = entry[4], entry[5]
  if present then name, owner = chat.name, tonumber(chat.owner) end
  return {entry[1], seq, entry[2], entry[3], kind, 0, '', 0, name, owner, users_then(), entry[6] or {}, entry[7] or {}}
end
local function message_event(seq, entry, record)
  local what, author, sent_at, text, changed_at, changed_by, _, reply_to = entry[1], unpack(cmsgpack.unpack(record))
  local at, by = sent_at, author
  if what ~= MESSAGE then at, reply_to = changed_at, 0 end
  if what == DELETED then by = entry[3] end
  return {what, seq, at, by, kind, entry[2], text or '', author, '', 0, {}, {}, {}, not text, changed_by > seq,
    reply_to or 0}
end

local events = {}
for i = #rows, begin, -1 do
  local entry, seq = entries[i], tonumber(string.match(rows[i][1], '^%d+'))
  local event_of = records[i] and message_event or change_event
  events[i - begin + 1] = event_of(seq, entry, records[i])
  undo(entry)
end
return {tonumber(chat.seq), 0, cmsgpack.pack(events), since}
