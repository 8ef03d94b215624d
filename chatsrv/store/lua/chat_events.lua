#!lua flags=no-writes
-- Events after a position, oldest first, with the texts and the state of the chat as they are now.
-- KEYS 1 meta  2 members  3 messages  4 log   ARGV 1 after this seq  2 at most so many
-- Answers {head, 1 if deleted or never there, packed list of events}; events that the log no longer has are missing.
local chat = fields(KEYS[1], 'type', 'name', 'owner', 'seq', 'gone')
if not chat.type or chat.gone then return {tonumber(chat.seq or 0), 1, cmsgpack.pack({})} end
local kind, owner, users = tonumber(chat.type), tonumber(chat.owner), nil
local events = {}
for i, row in ipairs(redis.call('XRANGE', KEYS[4], int(tonumber(ARGV[1]) + 1) .. '-0', '+', 'COUNT', ARGV[2])) do
  local seq, entry = tonumber(string.match(row[1], '^%d+')), cmsgpack.unpack(row[2][2])
  local what = entry[1]
  if what == CREATED or what == CHANGED then
    users = users or members_of(KEYS[2])
    events[i] = {what, seq, entry[2], entry[3], kind, 0, '', 0, chat.name, owner, users, entry[4] or {}, entry[5] or {}}
  else
    local record = redis.call('HGET', KEYS[3], int(entry[2]))
    local author, sent_at, text, edited_at = unpack(cmsgpack.unpack(record))
    local at, by = sent_at, author
    if what ~= MESSAGE then at = edited_at end
    if what == DELETED then by = entry[3] end
    events[i] = {what, seq, at, by, kind, entry[2], text or '', author, '', 0, {}, {}, {}, not text}
  end
end
return {tonumber(chat.seq), 0, cmsgpack.pack(events)}
