-- PART of the scripts in which a message comes.
-- A message becomes a job of a delivery. The value of "number:token": the delivery ("@", process and name), the type,
-- the attempt and how many holders died, of 2 bytes each, the size of the reason, of 1, the reason, and the message.
local function take_job(state, delivery, name, message)
  local number = string.sub(name, 21)
  local kept = redis.call('HGET', KEYS[1], 'j' .. number) or '\0\0\0\0\0'
  redis.call('HDEL', KEYS[1], number, 'j' .. number)
  state[TOKEN] = state[TOKEN] + 1
  local entry = ('%s:%016d'):format(number, state[TOKEN])
  redis.call('HSET', base .. 'taken', entry, delivery .. string.sub(name, 1, 19) ..
    struct.pack('<H', struct.unpack('<H', kept) + 1) .. string.sub(kept, 3) .. message)
  return entry
end

-- Hands a message to the process that came first of those that want it: its delivery is what it would be after a
-- request of that process. The message is published on its channel; if it is large, or becomes a job, only a notice. A
-- process without a subscription is passed over. True; false: the message stays; or an error: the user may not publish.
local function hand_over(state, name, message)
  local kind, refused = string.sub(name, 1, 19), false
  local own = 'w' .. kind
  if state[RECEIVERS] > 0 and not (lines[own] and lines.w and lines['w-']) then
    for i, line in ipairs(redis.call('HMGET', KEYS[1], own, 'w', 'w-')) do
      local field = i == 1 and own or i == 2 and 'w' or 'w-'
      lines[field] = lines[field] or line or ''
    end
  end
  while state[RECEIVERS] > 0 do
    local low, at = lines['w-'], 1
    while at < #low and string.sub(low, at + 38, at + 56) < kind do at = at + WIDTH end
    local field, first = 'w', string.sub(lines.w, 1, WIDTH)
    local exact, lowest = string.sub(lines[own], 1, WIDTH), string.sub(low, at, at + WIDTH - 1)
    if exact ~= '' and (first == '' or exact < first) then field, first = own, exact end
    if lowest ~= '' and (first == '' or lowest < first) then field, first = 'w-', lowest end
    if first == '' then return refused end
    cut(state, field, field == 'w-' and at or 1, RECEIVERS)
    local process = string.sub(first, 15, 30)
    local delivery = '@' .. string.sub(first, 15, 38)
    local mark, text = redis.call('HGET', KEYS[1], delivery) or '', ''
    local takes = string.byte(delivery, 18) == TAKES
    if #message <= LARGE and not takes then text = kind .. message end
    if #mark == NAMES - 1 then
      local number = string.sub(mark, 1, 16)
      local heard = redis.pcall('PUBLISH', base .. process, 'message ' .. number .. text)
      if type(heard) == 'table' then
        refused = heard
      elseif heard > 0 then
        local given = takes and take_job(state, delivery, name, message) or name
        if not takes and string.byte(message) == 1 then
          redis.call('HDEL', KEYS[1], 'i' .. string.sub(message, 13, 12 + string.byte(message, 12)))
        end
        set_field(delivery, number .. state[EPOCH] .. given)
        set_field('h' .. delivery, time())
        return true
      end
    end
  end
  return refused
end
