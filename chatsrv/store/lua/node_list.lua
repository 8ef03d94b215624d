#!lua
-- A user comes online on a node (1) or goes offline there (0); whoever cares is told to look.
-- KEYS 1 users of the node   ARGV 1 channel  2 online  then users
for i = 3, #ARGV do
  redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', KEYS[1], ARGV[i])
  redis.call('PUBLISH', ARGV[1], ARGV[i])
end
return #ARGV - 2
