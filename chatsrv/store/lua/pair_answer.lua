#!lua
-- Accept (1) or deny (2) what the other one asked. Answers the version of the pair.
-- KEYS 1 state  2 handoff   ARGV 1 operation  2 caller  3 other  4 answer
types('hash', 'hash')
local users = {ARGV[2], ARGV[3]}
if redis.call('HGET', KEYS[1], 'asked') ~= ARGV[3] then return 'not_found' end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HDEL', KEYS[1], 'asked')
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'friends', 1) end
hand_over(KEYS[1], KEYS[2], users, 2, ARGV[4], ARGV[2], ARGV[1])
return version
