#!lua flags=no-writes
-- A page of messages, oldest first; their ids follow each other.
-- KEYS 1 meta  2 members  3 messages
-- ARGV 1 caller  2 at most so many  3 after (up from the next one) or before (down from the one below)  4 this message
--      5 bytes of records, above which the page ends earlier
-- Answers {1 if there are more in that direction, id of the first one, packed records}.
local chat = chat_of(KEYS[1], KEYS[2], ARGV[1])
if not chat then return 'not_found' end
local limit, bound, from, to = tonumber(ARGV[2]), tonumber(ARGV[4])
if ARGV[3] == 'after' then
  from = math.max(chat.first, bound + 1)
  to = math.min(chat.last, from + limit - 1)
else
  to = math.min(chat.last, bound - 1)
  from = math.max(chat.first, to - limit + 1)
end
local ids = {}
for id = from, to do ids[#ids + 1] = int(id) end
if #ids == 0 then return {0, 0, {}} end
local records, onwards = redis.call('HMGET', KEYS[3], unpack(ids)), ARGV[3] == 'after'
local count, size = 0, 0
while count < #ids do
  size = size + #records[onwards and count + 1 or #ids - count]
  if count > 0 and size > tonumber(ARGV[5]) then break end
  count = count + 1
end
if onwards then to = from + count - 1 else from = to - count + 1 end
local more = onwards and to < chat.last or not onwards and from > chat.first
local first = onwards and 1 or #ids - count + 1
return {more and 1 or 0, from, {unpack(records, first, first + count - 1)}}
