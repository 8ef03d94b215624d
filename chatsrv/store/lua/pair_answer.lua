#!lua
-- Accept (1) or deny (2) what the other one asked.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other  4 answer
-- Answers {version of the pair, 1}.
types('hash', 'hash')
local pair = pair_of(ARGV[2], ARGV[3])
if pair.asked ~= ARGV[3] then return 'not_found' end
local version = next_version(pair)
redis.call('HDEL', KEYS[1], 'asked')
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'friends', 1) end
hand_over(ARGV[1], ARGV[2], ARGV[3], ANSWERED, ANSWERED, ARGV[4])
return {version, 1}
