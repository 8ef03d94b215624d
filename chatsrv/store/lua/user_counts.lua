#!lua flags=no-writes
-- How much a user has, for the limits.
-- KEYS 1 chats  2 friends  3 incoming  4 outgoing  5 blocked  6 left
-- Answers {chats, friends, open requests, blocked}.
return {redis.call('HLEN', KEYS[1]) - redis.call('ZCARD', KEYS[6]), redis.call('SCARD', KEYS[2]),
  redis.call('SCARD', KEYS[3]) + redis.call('SCARD', KEYS[4]), redis.call('SCARD', KEYS[5])}
