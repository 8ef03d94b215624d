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
