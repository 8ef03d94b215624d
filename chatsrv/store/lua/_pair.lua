-- Shared by the scripts of a pair. state: version, friends, asked (who asked; absent: nobody), chat.
-- The handoff entry to each user: version:friend:incoming:outgoing:event:type:by:operation.
local function hand_over(state_key, handoff_key, users, event, kind, by, operation)
  local pair = fields(state_key, 'version', 'friends', 'asked')
  for i = 1, 2 do
    local user, other = users[i], users[3 - i]
    local function flag(condition) return condition and '1' or '0' end
    redis.call('HSET', handoff_key, 'u:' .. user, table.concat({pair.version, flag(pair.friends == '1'),
      flag(pair.asked == other), flag(pair.asked == user), event, kind, by, operation}, ':'))
  end
end
