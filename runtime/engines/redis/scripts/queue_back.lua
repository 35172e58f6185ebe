-- PART of the scripts in which messages go back.
-- A message goes back to its place, or to a process that waits for it.
local function put_back(state, name)
  local number = string.sub(name, 21)
  local message = redis.call('HGET', KEYS[1], number)
  if not message then return end
  if hand_over(state, name, message) == true then
    redis.call('HDEL', KEYS[1], 'j' .. number)
    -- No sender looks whether it is confirmed. If something is due already, processes look, and get no word of each.
    is_sooner = is_sooner or state[NEXT] == 0
    state[NEXT] = math.min(state[NEXT] > 0 and state[NEXT] or math.huge, time() + LATE + 1)
    return
  end
  local id = id_of(message)
  if id then redis.call('HSETNX', KEYS[1], id, number) end
  if state[COUNT] == 0 then state[FIRST], state[BORDER] = state[LAST] + 1, 0 end
  state[BYTES], state[COUNT], state[SORTED] = state[BYTES] + size_of(message), state[COUNT] + 1, state[SORTED] + 1
  redis.call('ZADD', base .. 'order', number, name)
  redis.call('ZADD', base .. 'types', 0, name)
end

-- It is ready in so many ms; until then it only takes room.
local function delay(state, name, message, ms)
  local at = time() + ms
  state[BYTES] = state[BYTES] + size_of(message)
  redis.call('ZADD', base .. 'delayed', ('%.0f'):format(at), name)
  due_at(state, at)
end

-- A new message comes, behind all others. Returns its number.
local function put_new(state, type, message, ms)
  state[LAST] = state[LAST] + 1
  local number = ('%016d'):format(state[LAST])
  if state[COUNT] == 0 then
    state[FIRST], state[BORDER] = state[LAST] + 1, 0
  elseif state[BORDER] == 0 then
    state[BORDER] = state[LAST]
  end
  local id = id_of(message)
  redis.call('HSET', KEYS[1], number, message)
  if id then redis.call('HSET', KEYS[1], id, number) end
  if ms > 0 then delay(state, type .. ':' .. number, message, ms) else put_back(state, type .. ':' .. number) end
  return number
end

local function release(state, job)
  keep_job(job)
  put_back(state, job.name)
end

-- A job that its process has not got; as if it had not been taken.
local function not_taken(state, entry)
  local job = end_taken(entry)
  if not job then return end
  job.attempt = job.attempt - 1
  release(state, job)
end

-- What a delivery was given, from the place in its mark on, goes back.
local function give_back(state, delivery, mark, at)
  local takes = string.byte(delivery, 18) == TAKES
  local back, size = takes and not_taken or put_back, takes and ENTRY or NAME
  for i = at, #mark, size do back(state, string.sub(mark, i, i + size - 1)) end
end

-- What was handed over LATE ms ago and is not confirmed goes back: no task of its process has it. How many are not
-- confirmed yet; and when the first job of them goes back, or nothing.
local function sweep(state, deliveries)
  local left, names, first = 0, {}, nil
  for delivery in string.gmatch(deliveries, '%S+') do names[#names + 1] = 'h' .. delivery end
  for i, stamp in ipairs(names[1] and redis.call('HMGET', KEYS[1], unpack(names, 1, math.min(#names, 5000))) or {}) do
    local delivery = string.sub(names[i], 2)
    if stamp and stamp + LATE < time() then
      local mark = redis.call('HGET', KEYS[1], delivery) or ''
      redis.call('HDEL', KEYS[1], 'h' .. delivery)
      redis.call('HSET', KEYS[1], delivery, string.sub(mark, 1, NAMES - 1))
      give_back(state, delivery, mark, NAMES)
    elseif stamp then
      left = left + 1
      first = math.min(first or math.huge, stamp + LATE + 1)
    end
  end
  return left, first
end

-- At most once in LATE ms, however many deliveries ask again.
local function sweep_again(state)
  if math.abs(time() - (redis.call('HGET', KEYS[1], 'swept') or 0)) < LATE then return end
  set_field('swept', time())
  sweep(state, redis.call('HGET', KEYS[1], 'deliveries') or '')
end
