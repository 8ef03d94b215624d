#!lua flags=no-writes
-- Events after a position, oldest first: texts as they are now, names, owners and members as they were then.
-- KEYS 1 meta  2 members  3 messages  4 log   ARGV 1 after this seq  2 at most so many  3.. users
-- Answers {head, 1 if deleted or never there, packed list of events, those of the users who are no members};
-- events that the log no longer has are missing.
local chat = fields(KEYS[1], 'type', 'seq', 'gone')
if not chat.type or chat.gone then return {tonumber(chat.seq or 0), 1, cmsgpack.pack({}), {}} end
local kind = tonumber(chat.type)

-- Members as they were: from those of now, undo one change after the other, back from the head.
local users
local function undo(entry)
  if entry[1] ~= CHANGED then return end
  for _, user in ipairs(entry[6]) do users[user] = nil end
  for _, user in ipairs(entry[7]) do users[user] = true end
end
local function users_then()
  local list = {}
  for user in pairs(users) do list[#list + 1] = user end
  table.sort(list)
  return list
end

local rows, entries, last = redis.call('XRANGE', KEYS[4], int(tonumber(ARGV[1]) + 1) .. '-0', '+', 'COUNT', ARGV[2]), {}
for i, row in ipairs(rows) do
  entries[i] = cmsgpack.unpack(row[2][2])
  last = row[1]
  if entries[i][1] <= CHANGED then users = {} end
end
if users then
  for _, user in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do users[tonumber(user)] = true end
  for _, row in ipairs(redis.call('XREVRANGE', KEYS[4], '+', '(' .. last)) do undo(cmsgpack.unpack(row[2][2])) end
end

local events = {}
for i = #rows, 1, -1 do
  local entry, seq = entries[i], tonumber(string.match(rows[i][1], '^%d+'))
  local what = entry[1]
  if what <= CHANGED then
    events[i] = {what, seq, entry[2], entry[3], kind, 0, '', 0, entry[4], entry[5], users_then(), entry[6] or {},
      entry[7] or {}}
    undo(entry)
  else
    local author, sent_at, text, changed_at, changed_by = unpack(cmsgpack.unpack(redis.call('HGET', KEYS[3],
      int(entry[2]))))
    local at, by = sent_at, author
    if what ~= MESSAGE then at = changed_at end
    if what == DELETED then by = entry[3] end
    events[i] = {what, seq, at, by, kind, entry[2], text or '', author, '', 0, {}, {}, {}, not text, changed_by > seq}
  end
end

local strangers = {}
for i = 3, #ARGV do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then strangers[#strangers + 1] = tonumber(ARGV[i]) end
end
return {tonumber(chat.seq), 0, cmsgpack.pack(events), strangers}
