#!lua
-- Revoke tokens of a user, or block him. The hash holds `before` (tokens issued up to then, in ms, are revoked),
-- `blocked`, and for each token that was revoked alone `token:<digest>`, with when that was and when it expires, as
-- <ms>:<ms>. Such a one is dropped when it has expired, or was revoked an hour before `before` (which covers it then:
-- no issuer's clock is that much ahead).
-- KEYS 1 revoked  2 state  3 log
-- ARGV 1 channel  2 what: all (issued until now), token, block, unblock  3 digest  4 when it expires (ms; 0: never)
--      5 how many tokens may be revoked alone at once
-- Answers 1, or 0 when it was so already; limit_reached.
types('hash', 'hash', 'stream')
local at, what, token = now(), ARGV[2], 'token:' .. ARGV[3]
local known = fields(KEYS[1], 'before', 'blocked', token)
local before = tonumber(known.before or 0)
if what == 'all' then
  if at <= before then return 0 end
elseif (known[what == 'token' and token or 'blocked'] ~= nil) == (what ~= 'unblock') then
  return 0
end
local kept, gone, all = 0, {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local revoked, expires = all[i + 1]:match('^(%d+):(%d+)$')
  if revoked and (tonumber(revoked) < before - 3600000 or (expires ~= '0' and tonumber(expires) < at)) then
    gone[#gone + 1] = all[i]
  elseif revoked then
    kept = kept + 1
  end
end
if what == 'token' and kept >= tonumber(ARGV[5]) then return 'limit_reached' end
if what == 'all' then
  before = at
  redis.call('HSET', KEYS[1], 'before', int(at))
elseif what == 'token' then
  redis.call('HSET', KEYS[1], token, int(at) .. ':' .. ARGV[4])
elseif what == 'block' then
  redis.call('HSET', KEYS[1], 'blocked', 1)
else
  known.blocked, gone[#gone + 1] = nil, 'blocked'
end
local blocked = (what == 'block' or known.blocked) and 1 or 0
announce(KEYS[2], KEYS[3], ARGV[1], {4, 0, blocked, before, 0, 0, 0, 0, 0, what == 'token' and ARGV[3] or ''})
-- Behind what is refused when out of memory.
for _, name in ipairs(gone) do redis.call('HDEL', KEYS[1], name) end
return 1
