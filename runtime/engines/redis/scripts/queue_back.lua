-- PART of the scripts in which messages go back.
-- A message goes back to its place, or to a process that waits for it.
local function put_back(state, name)
  local number = string.sub(name, 21)
  local message = redis.call('HGET', KEYS[1], number)
  if not message or hand_over(state, name, message) == true then return end
  if state[COUNT] == 0 then state[FIRST], state[BORDER] = state[LAST] + 1, 0 end
  state[BYTES], state[COUNT], state[SORTED] = state[BYTES] + #message, state[COUNT] + 1, state[SORTED] + 1
  redis.call('ZADD', KEYS[2], number, name)
  redis.call('ZADD', KEYS[3], 0, name)
end

-- What was handed over LATE ms ago and is not confirmed goes back: no task of its process has it. How many are not
-- confirmed yet.
local function sweep(state, deliveries)
  local left, names = 0, {}
  for delivery in string.gmatch(deliveries, '%S+') do names[#names + 1] = 'h' .. delivery end
  for i, stamp in ipairs(names[1] and redis.call('HMGET', KEYS[1], unpack(names, 1, math.min(#names, 5000))) or {}) do
    local delivery = string.sub(names[i], 2)
    if stamp and stamp + LATE < time() then
      local mark = redis.call('HGET', KEYS[1], delivery) or ''
      redis.call('HDEL', KEYS[1], 'h' .. delivery)
      redis.call('HSET', KEYS[1], delivery, string.sub(mark, 1, NAMES - 1))
      for at = NAMES, #mark, NAME do put_back(state, string.sub(mark, at, at + NAME - 1)) end
    elseif stamp then
      left = left + 1
    end
  end
  return left
end
