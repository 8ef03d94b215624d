#!lua
-- Ask for friendship, or accept what the other one asked; forbidden while either blocks.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other
-- Answers {version of the pair, 1 (0: nothing changed), 1 (they are friends), 0 (he is asked)}.
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if pair.blocks or pair.blocked then return 'forbidden' end
if pair.friends then return {pair.version, 0, 1} end
if pair.asked == ARGV[2] then return {pair.version, 0, 0} end
local version = next_version(pair)
if pair.asked == ARGV[3] then
  redis.call('HSET', KEYS[1], 'friends', 1)
  redis.call('HDEL', KEYS[1], 'asked')
  hand_over(ARGV[1], ARGV[2], ARGV[3], ANSWERED, ANSWERED, 1)
  return {version, 1, 1}
end
redis.call('HSET', KEYS[1], 'asked', ARGV[2])
hand_over(ARGV[1], ARGV[2], ARGV[3], ASKED, ASKED, 0)
return {version, 1, 0}
