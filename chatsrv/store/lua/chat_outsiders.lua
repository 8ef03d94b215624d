#!lua flags=no-writes
-- Who of some users is no member of a group yet, for the limits on them; asked by a member.
-- KEYS 1 meta  2 members   ARGV 1 caller  2.. users
-- Answers {members, users who are none}.
local chat = chat_of(KEYS[1], KEYS[2], ARGV[1])
if not chat then return 'not_found' end
if chat.type ~= 2 then return 'wrong_chat_type' end
local outsiders = {}
for i = 2, #ARGV do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then outsiders[#outsiders + 1] = tonumber(ARGV[i]) end
end
return {redis.call('ZCARD', KEYS[2]), outsiders}
