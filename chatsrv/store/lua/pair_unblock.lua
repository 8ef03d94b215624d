#!lua
-- Take one's block back. The other one's entry goes, too, with nothing to show.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other
-- Answers {version of the pair, 1 (0: nothing changed)}.
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if not pair.blocks then return {pair.version, 0} end
local version = next_version(pair)
redis.call('HDEL', KEYS[1], 'blocks:' .. ARGV[2])
hand_over(ARGV[1], ARGV[2], ARGV[3], UNBLOCKED, NONE, 0)
hand_over_chat(ARGV[2], ARGV[3])
return {version, 1}
