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

-- What was handed over before `since` and not confirmed goes back: its process is stopped or busy. One that has no
-- connection may have got it, and come back to confirm it: that has until `gone`.
local function sweep(state, since, gone)
  for _, slot in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', math.max(since, gone), 'LIMIT', 0, 100)) do
    local old = tonumber(redis.call('ZSCORE', KEYS[4], slot)) < gone
    local heard = old or redis.pcall('PUBLISH', base .. string.sub(slot, 2, 17), '')
    if old or type(heard) == 'number' and heard > 0 then
      local mark = redis.call('HGET', KEYS[1], slot) or ''
      redis.call('ZREM', KEYS[4], slot)
      redis.call('HSET', KEYS[1], slot, string.sub(mark, 1, NAMES - 1))
      for i = NAMES, #mark, NAME do put_back(state, string.sub(mark, i, i + NAME - 1)) end
    end
  end
end
