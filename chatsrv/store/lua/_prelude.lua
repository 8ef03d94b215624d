-- Shared by every script: put behind its first line when it is loaded (store/scripts.py).
-- An integer as text, without the digits that tostring loses above 1e14.
local function int(number) return string.format('%.0f', number) end

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
