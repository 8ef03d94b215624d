#!lua
-- Ask for friendship, or accept what the other one asked.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other
-- Answers {what, version of the pair}: asked, accepted, or, when nothing changed, already_asked, already_friends.
types('hash', 'hash')
local pair = fields(KEYS[1], 'friends', 'asked', 'version')
local users = {ARGV[2], ARGV[3]}
if pair.friends == '1' then return {'already_friends', tonumber(pair.version)} end
if pair.asked == ARGV[2] then return {'already_asked', tonumber(pair.version)} end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
if pair.asked == ARGV[3] then
  redis.call('HSET', KEYS[1], 'friends', 1)
  redis.call('HDEL', KEYS[1], 'asked')
  hand_over(KEYS[1], KEYS[2], users, 2, 1, ARGV[2], ARGV[1])
  return {'accepted', version}
end
redis.call('HSET', KEYS[1], 'asked', ARGV[2])
hand_over(KEYS[1], KEYS[2], users, 1, 0, ARGV[2], ARGV[1])
return {'asked', version}
