#!lua flags=no-writes
-- All lists of a user, and the rev they are of, at one moment.
-- KEYS 1 chats  2 friends  3 incoming  4 outgoing  5 state
-- Answers {rev, time, {chat, version, ...}, friends, incoming, outgoing}.
return {tonumber(redis.call('HGET', KEYS[5], 'rev') or 0), now(), redis.call('HGETALL', KEYS[1]),
  redis.call('SMEMBERS', KEYS[2]), redis.call('SMEMBERS', KEYS[3]), redis.call('SMEMBERS', KEYS[4])}
