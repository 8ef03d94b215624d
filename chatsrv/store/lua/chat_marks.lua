#!lua flags=no-writes
-- Which members have lately said up to where they have read.
-- KEYS 1 meta  2 marks   ARGV 1 within so many ms
-- Answers {head, {user, message, ...}}.
local since, marks = now() - tonumber(ARGV[1]), {}
for i, value in ipairs(redis.call('HGETALL', KEYS[2])) do
  if i % 2 == 1 then
    marks[#marks + 1] = tonumber(value)
  elseif tonumber(string.match(value, ':(%d+)$') or 0) >= since then
    marks[#marks + 1] = mark_of(value)
  else
    marks[#marks] = nil
  end
end
return {tonumber(redis.call('HGET', KEYS[1], 'seq') or 0), marks}
