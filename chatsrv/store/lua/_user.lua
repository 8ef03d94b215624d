-- Shared by the scripts that change a user: each change raises rev, is kept in a short log and published.
local function announce(state_key, log_key, channel, entry)
  local rev = redis.call('HINCRBY', state_key, 'rev', 1)
  table.insert(entry, 1, rev)
  local packed = cmsgpack.pack(entry)
  redis.call('XADD', log_key, 'MAXLEN', 100, int(rev) .. '-0', 'e', packed)
  redis.call('PUBLISH', channel, packed)
end
