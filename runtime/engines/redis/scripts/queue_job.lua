-- PART of the scripts in which jobs go back, or die.
-- A job that is taken no more, or nothing: it was not.
local function end_taken(entry)
  local value = redis.call('HGET', base .. 'taken', entry)
  if not value then return end
  redis.call('HDEL', base .. 'taken', entry)
  local attempt, deaths, size = struct.unpack('<HHB', value, 45)
  local job = {number = string.sub(entry, 1, 16), attempt = attempt, deaths = deaths,
    reason = string.sub(value, 50, 49 + size), message = string.sub(value, 50 + size)}
  job.name = string.sub(value, 26, 44) .. ':' .. job.number
  return job
end

-- The limit of attempts, its own before the handle's.
local function limit_of(message, attempts)
  local own = string.byte(message) == 1 and struct.unpack('<H', message, 10) or 0
  return own > 0 and own or attempts
end

-- The field of its id, or nothing: it has none of its own.
local function id_of(message)
  local size = string.byte(message) == 1 and string.byte(message, 12) or 0
  return size > 0 and 'i' .. string.sub(message, 13, 12 + size)
end

local function forget_id(job)
  local id = id_of(job.message)
  if id and redis.call('HGET', KEYS[1], id) == job.number then redis.call('HDEL', KEYS[1], id) end
end

local function keep_job(job)
  redis.call('HSET', KEYS[1], job.number, job.message, 'j' .. job.number,
    struct.pack('<HHB', job.attempt, job.deaths, #job.reason) .. job.reason)
end

local function die(state, job, keep)
  keep_job(job)
  forget_id(job)
  state[TOKEN], state[BYTES] = state[TOKEN] + 1, state[BYTES] + size_of(job.message)
  redis.call('ZADD', base .. 'dead', ('%.0f'):format(state[TOKEN]), job.name)
  drop_dead(state, keep)
end
