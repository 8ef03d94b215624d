-- Shared by the scripts of a chat. meta: type, name, owner, created, seq (head of the events), last (head
-- of the messages), first (the lowest message kept; absent: 1), clock, active (its last event that was no edit or
-- deletion), blocked, block_version (private chats), gone. members: user -> seq at which it joined. log: stream, id =
-- seq, of the events that are no new message, {what, the last message before it, ...}; all between are new messages, whose
-- numbers follow from that. messages: id -> {author, sent_at, text (false: deleted), edited or deleted at, by the event
-- (0: as sent), by, reply_to}. deleted: the ids of deleted messages. marks: user -> message up to which it has read, and,
-- where it said so, a colon and when.
local CREATED, CHANGED, MESSAGE, EDITED, DELETED, READ, TYPING = 1, 2, 3, 6, 7, 8, 9

-- The chat if it lives and `user` is a member, else nil.
local function chat_of(meta_key, members_key, user)
  local chat = fields(meta_key, 'type', 'name', 'owner', 'created', 'seq', 'last', 'first', 'clock', 'blocked', 'gone')
  if not chat.type or chat.gone or not redis.call('ZSCORE', members_key, user) then return nil end
  for _, name in ipairs({'type', 'owner', 'created', 'seq', 'last', 'clock'}) do chat[name] = tonumber(chat[name]) end
  chat.first, chat.blocked = tonumber(chat.first or 1), chat.blocked == '1'
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

-- A message's record; what is 0 at its end is left out.
local function record_of(author, sent_at, text, at, seq, by, reply_to)
  local record = {author, sent_at, text, at, seq}
  if by > 0 or reply_to > 0 then record[6] = by end
  if reply_to > 0 then record[7] = reply_to end
  return cmsgpack.pack(record)
end

-- A read mark, without the time at which it was set.
local function mark_of(value) return tonumber(value and string.match(value, '^%d+') or 0) end

-- A message changes (edit, delete: KEYS and ARGV 1 to 3 are theirs): its record, the head and the log, in one.
local function change_message(chat, message, seq, at, record, event)
  redis.call('HSET', KEYS[1], 'seq', int(seq), 'clock', int(at))
  redis.call('HSET', KEYS[3], int(message), record)
  append(KEYS[4], ARGV[3], seq, {event[1], chat.last, message, event[4]})
  redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], {event}}))
  return {cmsgpack.pack(event), 1}
end

-- Tell the members what is no event of the log (read, typing: ARGV 1 and 2 are theirs).
local function signal(what, chat, user, session, message)
  redis.call('PUBLISH', ARGV[1], cmsgpack.pack({ARGV[2], {}, {{what, chat.seq, tonumber(user), session, message}}}))
end
