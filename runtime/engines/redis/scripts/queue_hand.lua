-- PART of the scripts in which a message comes.
-- Hands a message to the process that came first of those that want it: its delivery is what it would be if that had
-- asked, and it is told on its channel; if the message is large, only to ask. A process without a subscription is
-- passed over. True; false: the message stays; or an error: the user may not publish.
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
    if #message <= LARGE then text = kind .. message end
    if #mark == NAMES - 1 then
      local number = string.sub(mark, 1, 16)
      local heard = redis.pcall('PUBLISH', base .. process, 'message ' .. number .. text)
      if type(heard) == 'table' then
        refused = heard
      elseif heard > 0 then
        set_field(delivery, ('%s:%08d:%s'):format(number, state[EPOCH], name))
        set_field('h' .. delivery, time())
        return true
      end
    end
  end
  return refused
end
