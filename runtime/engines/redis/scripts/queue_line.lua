-- PART of the scripts in which processes wait, or are served.
-- Lines are fields of meta: "w" of those that wait for any message, "w<type>" for one type, "w-" for the lowest type up
-- to a bound, "full" for room. An entry: the number of its arrival, of 14 digits, the process, of 16, its delivery, of
-- 8, and the bound, or the bytes that it needs, of 19. RECEIVERS and SENDERS count them. The name of a delivery that
-- takes jobs begins with "T" (TAKES).
local WIDTH, NAME, NAMES, ENTRY, LARGE, LATE, PLAIN, TAKES = 57, 36, 27, 33, 65536, 1000, 9, 84
local fields, lines, changed, is_sooner = {}, {}, {}, false
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

-- Bytes of a message that its sender knows of.
local function size_of(message)
  return #message - (string.byte(message) == 1 and 12 + string.byte(message, 12) or PLAIN)
end

-- Drops the oldest dead letters: those over `keep`; or, if that is nil, as many as leave room for so many bytes, but
-- none if all of them would not.
local function drop_dead(state, keep, size)
  local dead, free, count = base .. 'dead', state[CAPACITY] - state[BYTES], 0
  if not keep and free >= size then return end
  local over = keep and redis.call('ZCARD', dead) - keep or 0
  if keep and over <= 0 then return end
  local names = redis.call('ZRANGE', dead, 0, over - 1)
  while names[count + 1] and (keep or free < size) do
    count = count + 1
    free = free + redis.call('HSTRLEN', KEYS[1], string.sub(names[count], 21)) - PLAIN
  end
  if not keep and free < size then return end
  for i = 1, count do
    local number = string.sub(names[i], 21)
    state[BYTES] = state[BYTES] - size_of(redis.call('HGET', KEYS[1], number) or '\0________')
    redis.call('ZREM', dead, names[i])
    redis.call('HDEL', KEYS[1], number, 'j' .. number)
  end
end

-- Something is due at that time, in ms.
local function due_at(state, at)
  if state[NEXT] > 0 and state[NEXT] <= at then return end
  state[NEXT], is_sooner = at, true
end

-- How many ms from now something is due, or -1.
local function until_next(state)
  return state[NEXT] > 0 and math.max(state[NEXT] - time(), 0) or -1
end

-- All processes that may wait look when something is due.
local function publish_next(state)
  local published = {}
  for process in string.gmatch(redis.call('HGET', KEYS[1], 'deliveries') or '', '@(' .. ('%w'):rep(16) .. ')') do
    local text = ('next %.0f %.0f'):format(until_next(state), state[RECEIVERS])
    if not published[process] then redis.pcall('PUBLISH', base .. process, text) end
    published[process] = true
  end
end

-- A call takes no more arguments than fit on Lua's stack: `list` in parts.
local function in_parts(command, list)
  for i = 1, #list, 4000 do redis.call(command, KEYS[1], unpack(list, i, math.min(i + 3999, #list))) end
end

-- Writes the state, the lines, and the fields.
local function save(state)
  local empty = {}
  if is_sooner and state[RECEIVERS] > 0 then publish_next(state) end
  set_field('state', struct.pack(FORMAT, unpack(state)))
  for field in pairs(changed) do
    if lines[field] == '' then empty[#empty + 1] = field else set_field(field, lines[field]) end
  end
  in_parts('HSET', fields)
  in_parts('HDEL', empty)
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
