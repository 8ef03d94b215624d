#!lua
-- Take a delivered entry off a handoff log, unless a newer one has taken its place.
-- KEYS 1 handoff   ARGV receiver, entry, receiver, entry, ...
local taken = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    taken = taken + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return taken
