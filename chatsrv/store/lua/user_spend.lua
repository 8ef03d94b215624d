#!lua
-- Spend of what a user may do in an hour: all of it, or nothing where any is too much.
-- KEYS 1 rates: what -> when, in ms, all that was spent of it is made up for; gone when all of it is
-- ARGV for each: what, most in an hour, how many (below 0: they are given back)
-- Answers 0, or the ms after which there is enough. More than an hour's are spent where nothing was before, and then
-- take as long to be made up for.
types('hash')
local HOUR, at, wait, last, ends = 3600000, now(), 0, 0, {}
for i = 1, #ARGV, 3 do
  local most, many = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local made_up = math.max(tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0), at)
  if many > 0 then wait = math.max(wait, made_up - at + math.min(many, most) * HOUR / most - HOUR) end
  ends[ARGV[i]] = made_up + many * HOUR / most
  last = math.max(last, ends[ARGV[i]])
end
if wait >= 1 then return math.ceil(wait) end
for what, ends_at in pairs(ends) do
  if ends_at >= at + 1 then redis.call('HSET', KEYS[1], what, format('%.3f', ends_at))
  else redis.call('HDEL', KEYS[1], what) end
end
redis.call('PEXPIREAT', KEYS[1], int(math.ceil(math.max(last, at + redis.call('PTTL', KEYS[1])))))
return 0
