#!lua
-- End a friendship, or withdraw one's own request.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other
-- Answers {version of the pair, 1}.
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if not pair.friends and pair.asked ~= ARGV[2] then return 'not_found' end
local version = next_version(pair)
redis.call('HDEL', KEYS[1], 'friends', 'asked')
hand_over(ARGV[1], ARGV[2], ARGV[3], REMOVED, REMOVED, 0)
return {version, 1}
