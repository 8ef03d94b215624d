#!lua flags=no-writes
-- The state of a chat for one of its members, as the event of its creation at the present head.
-- KEYS 1 meta  2 members   ARGV 1 user
local chat = chat_of(KEYS[1], KEYS[2], ARGV[1])
if not chat then return 'not_found' end
return {cmsgpack.pack({CREATED, chat.seq, chat.clock, 0, chat.type, 0, '', 0, chat.name, chat.owner,
  members_of(KEYS[2]), {}, {}}), 0}
