-- Shared by the scripts that change a user: each change raises rev, is kept in a short log and published. The log is for
-- those who are connected; it goes when nothing changed for a day.
local function announce(state_key, log_key, channel, entry)
  local rev = redis.call('HINCRBY', state_key, 'rev', 1)
  table.insert(entry, 1, rev)
  local packed = cmsgpack.pack(entry)
  redis.call('XADD', log_key, 'MAXLEN', 100, int(rev) .. '-0', 'e', packed)
  redis.call('PEXPIRE', log_key, 86400000)
  redis.call('PUBLISH', channel, packed)
end

-- What ended is remembered for a day, so that an older word of it that comes late is known to be old.
local function forget(known_key, ended_key, at)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', ended_key, '-inf', int(at - 86400000), 'LIMIT', 0, 10)) do
    redis.call('HDEL', known_key, old)
    redis.call('ZREM', ended_key, old)
  end
end

-- What a user may do in an hour. `key`, rates: what -> when, in ms, all that was spent of it is made up for; gone when
-- all of it is. ARGV from `first` for each: what, most in an hour, how many (below 0: they are given back).
-- The ms after which there is enough (0: now), and when each would be made up for. More than an hour's are spent where
-- nothing was before, and then take as long to be made up for.
local HOUR = 3600000
local function allowance(key, first, at)
  local wait, ends = 0, {}
  for i = first, #ARGV, 3 do
    local most, many = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
    local made_up = math.max(tonumber(redis.call('HGET', key, ARGV[i]) or 0), at)
    if many > 0 then wait = math.max(wait, made_up - at + math.min(many, most) * HOUR / most - HOUR) end
    ends[ARGV[i]] = made_up + many * HOUR / most
  end
  return wait >= 1 and math.ceil(wait) or 0, ends
end

-- Spend it: all of it, or nothing where any is too much. Answers the ms after which there is enough (0: it is spent).
local function spend(key, first)
  if first > #ARGV then return 0 end
  local at = now()
  local wait, ends = allowance(key, first, at)
  if wait > 0 then return wait end
  local last, gone = at, {}
  for what, ends_at in pairs(ends) do
    last = math.max(last, ends_at)
    if ends_at >= at + 1 then redis.call('HSET', key, what, format('%.3f', ends_at)) else gone[#gone + 1] = what end
  end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end  -- behind what is refused when out of memory
  redis.call('PEXPIREAT', key, int(math.ceil(math.max(last, at + redis.call('PTTL', key)))))
  return 0
end
