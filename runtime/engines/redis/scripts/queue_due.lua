-- PART of the scripts that look what is due.
-- Jobs whose time has come are ready. Processes whose lease has ended are dead: their jobs go back to their places, or
-- die. What was handed over, and is not confirmed, goes back. limits: "attempts deaths keep", of the handle.
local function dead_processes(earliest)
  local dead, living, found = {}, {}, false
  for process in string.gmatch(redis.call('HGET', KEYS[1], 'holders') or '', '%S+') do
    local till = tonumber(redis.call('HGET', KEYS[1], 'l' .. process) or 0)
    if till < time() then
      redis.call('HDEL', KEYS[1], 'l' .. process)
      dead[process], found = true, true
    else
      living[#living + 1] = process .. ' '
      earliest(till + 1)
    end
  end
  if found then redis.call('HSET', KEYS[1], 'holders', table.concat(living)) end
  return found and dead
end

-- All that these processes have taken, the oldest first.
local function entries_of(dead)
  local entries, from = {}, '0'
  repeat
    local found = redis.call('HSCAN', base .. 'taken', from, 'COUNT', 1000)
    from = found[1]
    for i = 1, #found[2], 2 do
      if dead[string.sub(found[2][i + 1], 2, 17)] then entries[#entries + 1] = found[2][i] end
    end
  until from == '0'
  table.sort(entries)
  return entries
end

-- Their deliveries have nothing any more, but what was handed over and is not confirmed yet: the process may have had
-- no job, and kept no lease.
local function end_processes(state, dead, limits)
  local deaths, keep = string.match(limits, '^%d+ (%d+) (%d+)')
  local on_its_way = {}
  for delivery in string.gmatch(redis.call('HGET', KEYS[1], 'deliveries') or '', '@%w+') do
    if dead[string.sub(delivery, 2, 17)] and string.byte(delivery, 18) == TAKES then
      local mark = redis.call('HGET', KEYS[1], delivery) or ''
      if redis.call('HEXISTS', KEYS[1], 'h' .. delivery) == 1 then
        for i = NAMES, #mark, ENTRY do on_its_way[string.sub(mark, i, i + ENTRY - 1)] = true end
      elseif #mark >= NAMES then
        redis.call('HSET', KEYS[1], delivery, string.sub(mark, 1, NAMES - 1))
      end
    end
  end
  for _, entry in ipairs(entries_of(dead)) do
    local job = not on_its_way[entry] and end_taken(entry)
    if job then
      job.deaths = job.deaths + 1
      job.reason = job.deaths > 1 and ('its holder died (%d times)'):format(job.deaths) or 'its holder died'
      if job.deaths >= tonumber(deaths) then die(state, job, tonumber(keep)) else release(state, job) end
    end
  end
end

local function look(state, limits)
  if state[NEXT] == 0 or time() < state[NEXT] then return end
  redis.call('HDEL', KEYS[1], '') -- needs no memory: so what follows may, where there is none
  local first, was_sooner = 0, is_sooner
  state[NEXT] = 0 -- from now on, of what goes back
  local function earliest(at)
    if first == 0 or at < first then first = at end
  end
  local dead = dead_processes(earliest)
  if dead then end_processes(state, dead, limits) end
  local _, back = sweep(state, redis.call('HGET', KEYS[1], 'deliveries') or '')
  if back then earliest(back) end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', base .. 'delayed', '-inf', time(), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', base .. 'delayed', name)
    state[BYTES] = state[BYTES] - size_of(redis.call('HGET', KEYS[1], string.sub(name, 21)) or '\0________')
    put_back(state, name)
  end
  local due = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')[2]
  if due then earliest(tonumber(due)) end
  if state[NEXT] > 0 then earliest(state[NEXT]) end
  state[NEXT], is_sooner = first, was_sooner -- those that wait look at this time, too, and learn of the next one
end

-- The process is alive for so many ms. False: it had no lease.
local function keep_lease(state, process, lease)
  local had = redis.call('HEXISTS', KEYS[1], 'l' .. process) == 1
  if not had then
    redis.call('HSET', KEYS[1], 'holders', (redis.call('HGET', KEYS[1], 'holders') or '') .. process .. ' ')
  end
  redis.call('HSET', KEYS[1], 'l' .. process, time() + lease)
  due_at(state, time() + lease + 1)
  return had
end
