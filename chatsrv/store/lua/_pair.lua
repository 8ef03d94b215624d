-- Shared by the scripts of a pair. KEYS 1 state  2 handoff. state: version, friends, asked (who asked; absent: nobody),
-- blocks:<user> (he blocks the other one), chat, and who opened it by which operation: creator, opened.
local NONE, ASKED, ANSWERED, REMOVED, BLOCKED, UNBLOCKED = 0, 1, 2, 3, 4, 5

-- The state as the caller sees it: `blocks` and `blocked` (by the other one) are flags; `version` is a number.
local function pair_of(caller, other)
  local mine, his = 'blocks:' .. caller, 'blocks:' .. other
  local pair = fields(KEYS[1], 'version', 'friends', 'asked', 'chat', mine, his)
  pair.version, pair.blocks, pair.blocked = tonumber(pair.version or 0), pair[mine], pair[his]
  return pair
end

-- The version that a change leads to: the store's clock, never going back. So it goes on upwards from a pair that was
-- forgotten, whatever a user still remembers of it.
local function next_version(pair)
  local version = math.max(now(), pair.version + 1)
  redis.call('HSET', KEYS[1], 'version', int(version))
  return version
end

-- The handoff entry to each user: version:friend:incoming:outgoing:event:type:by:operation:blocked:blocker.
-- `event` is the t of op 17 for the caller, `of_other` that for the other one. A pair with nothing left between the two
-- is forgotten after a day.
local function hand_over(operation, caller, other, event, of_other, kind)
  local function entry(user, peer, t)
    local pair = pair_of(user, peer)
    local function flag(condition) return condition and '1' or '0' end
    redis.call('HSET', KEYS[2], 'u:' .. user, table.concat({int(pair.version), flag(pair.friends),
      flag(pair.asked == peer), flag(pair.asked == user), t, kind, caller, operation, flag(pair.blocks),
      flag(pair.blocked)}, ':'))
  end
  entry(caller, other, event)
  entry(other, caller, of_other)
  local pair = pair_of(caller, other)
  if pair.friends or pair.asked or pair.chat or pair.blocks or pair.blocked then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIRE', KEYS[1], 86400000)
  end
end

-- The handoff entry to the private chat, if there is one: creator:operation of its creation:version:blocked.
local function hand_over_chat(caller, other)
  local pair, opened = pair_of(caller, other), fields(KEYS[1], 'creator', 'opened')
  if pair.chat then
    redis.call('HSET', KEYS[2], 'c:' .. pair.chat, table.concat({opened.creator, opened.opened, int(pair.version),
      (pair.blocks or pair.blocked) and '1' or '0'}, ':'))
  end
end
