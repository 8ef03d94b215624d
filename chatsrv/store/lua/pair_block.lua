#!lua
-- Block the other one: a friendship ends, requests both ways are dropped. He is told of that, not of the block.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other
-- Answers {version of the pair, 1 (0: nothing changed)}.
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if pair.blocks then return {pair.version, 0} end
local version = next_version(pair)
redis.call('HSET', KEYS[1], 'blocks:' .. ARGV[2], 1)
redis.call('HDEL', KEYS[1], 'friends', 'asked')
hand_over(ARGV[1], ARGV[2], ARGV[3], BLOCKED, (pair.friends or pair.asked) and REMOVED or NONE, 0)
hand_over_chat(ARGV[2], ARGV[3])
return {version, 1}
