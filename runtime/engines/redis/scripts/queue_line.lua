-- PART of the scripts in which processes wait, or are served.
-- Lines are fields of meta: "w" of those that wait for any message, "w<type>" for one type, "w-" for the lowest type up
-- to a bound, "full" for room. An entry: the number of its arrival, of 14 digits, the process, of 16, its delivery, of
-- 8, and the bound, or the bytes that it needs, of 19. RECEIVERS and SENDERS count them.
local WIDTH, NAME, NAMES, LARGE, LATE = 57, 36, 27, 65536, 1000
local fields, lines, changed = {}, {}, {}
local base, now = string.sub(KEYS[1], 1, -5)

-- In ms.
local function time()
  if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
  end
  return now
end

local function set_line(field, line)
  lines[field], changed[field] = line, true
end

local function set_field(name, value)
  fields[#fields + 1], fields[#fields + 2] = name, value
end

-- Writes the state, the lines, and the fields.
local function save(state)
  local empty = {}
  set_field('state', struct.pack(FORMAT, unpack(state)))
  for field in pairs(changed) do
    if lines[field] == '' then empty[#empty + 1] = field else set_field(field, lines[field]) end
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  if empty[1] then redis.call('HDEL', KEYS[1], unpack(empty)) end
end

local function cut(state, field, at, counter)
  local line = lines[field]
  state[counter] = state[counter] - 1
  set_line(field, string.sub(line, 1, at - 1) .. string.sub(line, at + WIDTH))
end

local function line_of(field)
  lines[field] = lines[field] or redis.call('HGET', KEYS[1], field) or ''
  return lines[field]
end
