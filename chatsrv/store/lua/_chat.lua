-- Shared by the scripts of a chat. meta: type, name, owner, created, seq (head of the event log), last (head
-- of the messages), clock, gone. members: user -> seq at which it joined. log: stream, id = seq. messages: id ->
-- {author, sent_at, text (false: deleted), edited or deleted at, by the event (0: as sent), by}.
local CREATED, CHANGED, MESSAGE, EDITED, DELETED = 1, 2, 3, 6, 7

-- The chat if it lives and `user` is a member, else nil.
local function chat_of(meta_key, members_key, user)
  local chat = fields(meta_key, 'type', 'name', 'owner', 'seq', 'last', 'clock', 'gone')
  if not chat.type or chat.gone or not redis.call('ZSCORE', members_key, user) then return nil end
  chat.type, chat.owner = tonumber(chat.type), tonumber(chat.owner)
  chat.seq, chat.last, chat.clock = tonumber(chat.seq), tonumber(chat.last), tonumber(chat.clock)
  return chat
end

-- The time of the next event: the store's clock, never going back within a chat.
local function tick(chat) return math.max(now(), chat.clock) end

local function append(log_key, limit, seq, entry)
  redis.call('XADD', log_key, 'MAXLEN', '~', limit, int(seq) .. '-0', 'e', cmsgpack.pack(entry))
end

local function members_of(members_key)
  local users = {}
  for i, user in ipairs(redis.call('ZRANGE', members_key, 0, -1)) do users[i] = tonumber(user) end
  table.sort(users)
  return users
end

-- A message changes (edit, delete: KEYS and ARGV 1 to 3 are theirs): its record, the head and the log, in one.
local function change_message(message, seq, at, record, entry, event)
  redis.call('HSET', KEYS[1], 'seq', int(seq), 'clock', int(at))
  redis.call('HSET', KEYS[3], int(message), cmsgpack.pack(record))
  append(KEYS[4], ARGV[3], seq, entry)
  redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], {event}}))
  return {cmsgpack.pack(event), 1}
end
