-- PART of the scripts in which processes wait, or are called.
-- Lines are fields of meta: "w" of those that wait for any message, "w<type>" for one type, "w-" for the lowest type up
-- to a bound, "full" for room. An entry is the number of its arrival, of 14 digits, the process, and the bound, or the
-- bytes that it needs, of 19 digits. One message calls one process: it is told on its channel, and comes and takes it.
-- RECEIVERS and SENDERS count the entries.
local WIDTH = 49
local lines, changed = {}, {}
local publish = redis.call -- redis.pcall, once something has been changed

local function set_line(field, line)
  lines[field], changed[field] = line, true
end

-- Writes the state, the lines, and these fields and values of meta.
local function save(state, fields)
  local n, empty = #fields, {}
  fields[n + 1], fields[n + 2] = 'state', struct.pack(FORMAT, unpack(state))
  for field in pairs(changed) do
    if lines[field] == '' then
      empty[#empty + 1] = field
    else
      fields[#fields + 1], fields[#fields + 2] = field, lines[field]
    end
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  if empty[1] then redis.call('HDEL', KEYS[1], unpack(empty)) end
end

-- Takes the entry at a place out, and tells its process. False: it is not there any more, or may not be told.
local function call(field, at, text)
  local line = lines[field]
  set_line(field, string.sub(line, 1, at - 1) .. string.sub(line, at + WIDTH))
  local channel = string.sub(KEYS[1], 1, -5) .. string.sub(line, at + 14, at + 29)
  local heard = publish('PUBLISH', channel, text .. ' ' .. string.sub(line, at, at + 13))
  return type(heard) == 'number' and heard > 0
end

-- For a message of a type: of those that want it, the one that came first.
local function call_receiver(state, type)
  local own = 'w' .. type
  if state[RECEIVERS] > 0 and not lines[own] then
    local found = redis.call('HMGET', KEYS[1], own, 'w', 'w-')
    lines[own], lines.w, lines['w-'] = found[1] or '', lines.w or found[2] or '', lines['w-'] or found[3] or ''
  end
  while state[RECEIVERS] > 0 do
    local low, at = lines['w-'], 1
    while at < #low and string.sub(low, at + 30, at + 48) < type do at = at + WIDTH end
    local field, first, wanted = 'w', string.sub(lines.w, 1, 14), '0'
    local exact, lowest = string.sub(lines[own], 1, 14), string.sub(low, at, at + 13)
    if exact ~= '' and (first == '' or exact < first) then field, first, wanted = own, exact, type end
    if lowest ~= '' and (first == '' or lowest < first) then
      field, first, wanted = 'w-', lowest, '-' .. string.sub(low, at + 30, at + 48)
    end
    if first == '' then return end
    state[RECEIVERS] = state[RECEIVERS] - 1
    if call(field, field == 'w-' and at or 1, 'message ' .. wanted .. ' ' .. type) then return true end
  end
end

-- The first that waits for room, if there is enough for it: no process overtakes.
local function call_sender(state)
  while state[SENDERS] > 0 do
    lines.full = lines.full or redis.call('HGET', KEYS[1], 'full') or ''
    local room = state[CAPACITY] - state[BYTES]
    if lines.full == '' or room < tonumber(string.sub(lines.full, 31, WIDTH)) or state[COUNT] >= state[CAPACITY] then
      return
    end
    state[SENDERS] = state[SENDERS] - 1
    if call('full', 1, ('room %.0f'):format(room)) then return true end
  end
end

-- Stands in a line from now on; at its place, if it has had one there. counter: RECEIVERS or SENDERS.
local function stand(state, field, counter, client, bound, place)
  local line = lines[field] or redis.call('HGET', KEYS[1], field) or ''
  local at = string.find(line, counter == SENDERS and client or client .. bound, 1, true)
  if at then
    set_line(field, string.sub(line, 1, at + 15) .. bound .. string.sub(line, at + 35))
    return
  end
  at = #line + 1
  if place == '' then
    state[ARRIVALS] = state[ARRIVALS] + 1
    place = ('%014d'):format(state[ARRIVALS])
  else
    while at > 1 and string.sub(line, at - WIDTH, at - WIDTH + 13) > place do at = at - WIDTH end
  end
  state[counter] = state[counter] + 1
  set_line(field, string.sub(line, 1, at - 1) .. place .. client .. bound .. string.sub(line, at))
end
