#!lua
-- End an epoch, unless somebody did already.
-- KEYS 1 epoch   ARGV 1 epoch to end  2 its successor
-- Answers the epoch afterwards.
types('string')
local present = redis.call('GET', KEYS[1])
if present and present ~= ARGV[1] then return present end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
