-- Shared by every script: put behind its first line when it is loaded (store/scripts.py).
-- Each part between empty lines comes only with a script that uses it.

-- An integer up to 2^53 as text, all its digits, which tostring loses above 1e14. As two integers of at most 32 bits,
-- since formatting a real number costs thrice as much.
local format = string.format
local function int(number)
  if number < 1e9 then return format('%d', number) end
  local low = number % 1e9
  return format('%d%09d', (number - low) / 1e9, low)
end

-- The store's clock in ms since the epoch.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Before the first write of a script: a Lua error does not roll back, so a key of another type must show now.
local function types(...)
  for i, wanted in ipairs({...}) do
    local found = redis.call('TYPE', KEYS[i]).ok
    if found ~= wanted and found ~= 'none' then
      error({err = 'WRONGTYPE key ' .. i .. ' of the script is a ' .. found .. ', not a ' .. wanted})
    end
  end
end

-- Hash fields as a table by name; absent ones are nil.
local function fields(key, ...)
  local values, found = redis.call('HMGET', key, ...), {}
  for i, name in ipairs({...}) do found[name] = values[i] or nil end
  return found
end
