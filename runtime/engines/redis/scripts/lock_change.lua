-- KEYS: meta held line tokens
-- All that is done to a lock, so that each script that comes finds the permits of the dead free, and the first in line
-- served. All is safe to be done twice. Verbs and replies, where `ended` is 1 if the handle's lease had ended, and
-- `end` how many ms from now the first lease of a holder may end, or -1:
--   acquire number, wait             0, ended, abandoned, fence; or 11 (EAGAIN), ended, end
--   release number, how              0; or 116 (ESTALE): its lease had ended. how: given, died, undone
--   renew count                      0, ended, end, and of all it holds: number abandoned fence. ended, too: it has
--                                    fewer permits and places in line than that
--   state                            0, free permits, pid of a holder or 0
--   remove                           0
-- ARGV: id, verb, handle, lease in ms, pid, hears, and what follows the verb
--   meta  id, max, tells (a mutex: of deaths), abandoned (one is to be told), fence, arrivals; run (of the server),
--         since (when it was noticed)
--   held  token -> when its lease ends, or later; or until when its process has to say that it knows. In ms
--   line  token -> number of arrival
--   tokens  token in one of these -> fence, abandoned, told (its process knows)
-- A token is "handle:number", a handle "process.number". "base:handle" is the lease of a handle, for all that it holds
-- and waits for: its pid, the lease in ms, hears (its process listens). It ends by itself unless its process keeps it.
-- What is told is published on "base:process".
local meta, held, line, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, base = redis.call, KEYS[1]:sub(1, -5)

local function remove_lock()
  local told = {}
  for _, token in ipairs(call("HKEYS", tokens)) do
    local handle = token:match("^(.*):") or token
    local process = handle:match("^[^.]*")
    call("DEL", base .. handle)
    if not told[process] then redis.pcall("PUBLISH", base .. process, "removed " .. ARGV[1]) end
    told[process] = true
  end
  call("DEL", meta, held, line, tokens)
end
local verb, handle, lease, pid, hears = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local own, own_lease = base .. handle, ("%s %d %s"):format(pid, lease, hears)

local found = call("HMGET", meta, "id", "max", "tells", "fence", "abandoned")
if found[1] ~= ARGV[1] then return {43} end
local max, tells, last_fence, is_abandoned = tonumber(found[2]), found[3] == "1", tonumber(found[4] or 0), found[5]
local time = call("TIME")
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local waiters, holders = call("ZCARD", line), call("ZCARD", held)

-- What the server has evicted a part of is no lock any more.
if call("HLEN", tokens) ~= waiters + holders then
  remove_lock()
  return {43}
end

-- Its pid, lease, and whether it hears; false: its lease has ended.
local leases = {}
local function lease_of(token)
  local key = base .. token:match("^(.*):")
  if leases[key] == nil then
    local p, l, h = (call("GET", key) or ""):match("^(%d+) (%d+) (%d)$")
    leases[key] = p and {pid = p, lease = tonumber(l), hears = h == "1"} or false
  end
  return leases[key]
end

local function know(token, fence, abandoned, told)
  call("HSET", tokens, token, ("%s %s %s"):format(fence, abandoned, told))
end

local function known(token)
  return (call("HGET", tokens, token) or "0 0 0"):match("^(%d+) (%d) (%d)$")
end

-- What was never told was not held, so no process died with it; but it may have taken the word of a death along.
-- Returns 1, or 0: it was not held.
local function give_back(token, how)
  if tells and how ~= "given" and call("ZSCORE", held, token) then
    local _, abandoned, told = known(token)
    if how == "died" and told == "1" or abandoned == "1" then
      call("HSET", meta, "abandoned", 1)
      is_abandoned = "1"
    end
  end
  local was_held = call("ZREM", held, token)
  if was_held == 1 then call("HDEL", tokens, token) end
  holders = holders - was_held
  return was_held
end

-- A lease may have been kept since it was looked at.
local function sweep()
  for _, token in ipairs(call("ZRANGEBYSCORE", held, "-inf", now)) do
    local _, _, told = known(token)
    local left = told == "1" and lease_of(token) and call("PTTL", base .. token:match("^(.*):")) or 0
    if left > 0 then call("ZADD", held, now + left, token) else give_back(token, "died") end
  end
end

local function leave_line(token)
  if call("ZREM", line, token) == 0 then return false end
  waiters = waiters - 1
  return true
end

-- Only grows, over a removal and over data that the server lost, too: it is a number of microseconds, or the next.
local function next_fence()
  return ("%.0f"):format(math.max(last_fence + 1, micros))
end

local function grant(token, l, told)
  local fence, abandoned = "0", 0
  if tells then
    fence = next_fence()
    call("HSET", meta, "fence", fence)
    last_fence = tonumber(fence)
    if is_abandoned then abandoned = call("HDEL", meta, "abandoned") end
    is_abandoned = false
  end
  call("ZADD", held, now + math.floor(told == 1 and l or l / 3), token)
  know(token, fence, abandoned, told)
  holders = holders + 1
  return {0, 0, abandoned, fence}
end

-- Since the server was started again, no request of this token's process has come: all connections were cut off, so
-- that it does not hear says nothing of it. The server has another run_id then.
local since
local function is_yet_to_come(token, l)
  if not since then
    local info = redis.pcall("INFO", "server")
    local run = type(info) == "string" and info:match("run_id:(%w+)") or ""
    local known_run = call("HMGET", meta, "run", "since")
    since = tonumber(known_run[2] or 0)
    if known_run[1] ~= run then
      since = now
      call("HSET", meta, "run", run, "since", since)
    end
  end
  return now + call("PTTL", base .. token:match("^(.*):")) - l <= since
end

-- A process that listens is told, and hears it unless cut off: then the token keeps its place, and the next one is
-- asked. A process that does not listen yet, or was cut off by a restart of the server, is about to ask: it has a third
-- of its lease to do so.
local deaf = {}
local function hears_it(token, hears_at_all)
  local process, number = token:match("^([^.]*).*:(%d+)$")
  local message = ("%s %d %s"):format(number, is_abandoned and 1 or 0, tells and next_fence() or "0")
  if not hears_at_all or deaf[process] then return false end
  local heard = redis.pcall("PUBLISH", base .. process, message) -- not allowed: as if it did not hear
  deaf[process] = type(heard) == "table" or heard == 0
  return not deaf[process]
end

-- Is it out of the line?
local function hand_to(token)
  local l = lease_of(token)
  local told = l and hears_it(token, l.hears)
  if l and not told and l.hears and not is_yet_to_come(token, l.lease) then return false end
  leave_line(token)
  if l then
    grant(token, l.lease, told and 1 or 0)
  else
    call("HDEL", tokens, token)
  end
  return true
end

-- Free permits go to those that stand first. Returns what the token that asks got. A server without memory says so at
-- the first change; no process must be told before that.
local function hand_on(asks)
  local place, got = 0, nil
  while holders < max and place < waiters do
    local batch = call("ZRANGE", line, place, place + 15)
    if #batch == 0 then break end
    if type(redis.pcall("HINCRBY", meta, "arrivals", 0)) == "table" then break end
    for _, token in ipairs(batch) do
      if holders >= max then break end
      if token == asks then
        got = grant(token, lease, 1)
        leave_line(token)
      elseif not hand_to(token) then
        place = place + 1
      end
    end
  end
  return got
end

-- A holder that has it knows it has it, now.
local function again(token)
  local fence, abandoned = known(token)
  call("ZADD", held, now + lease, token)
  know(token, fence, abandoned, 1)
  return {0, 0, tonumber(abandoned), fence}
end

local function first_end()
  local first = call("ZRANGE", held, 0, 0, "WITHSCORES")
  return first[2] and tonumber(first[2]) - now or -1
end

local verbs = {}

function verbs.acquire(number, wait)
  local token = handle .. ":" .. number
  local alive = lease_of(token)
  if alive and call("ZSCORE", held, token) then
    call("PEXPIRE", own, lease)
    return again(token)
  end
  if not alive then call("SET", own, own_lease, "PX", lease) end
  if not alive or holders >= max then sweep() end
  leases[own] = nil
  local waits = waiters > 0 and call("ZSCORE", line, token)
  local got = hand_on(waits and token)
  if not got and not waits and holders < max then got = grant(token, lease, 1) end
  if not got and wait == "1" and not waits then
    call("ZADD", line, call("HINCRBY", meta, "arrivals", 1), token)
    know(token, 0, 0, 0)
  end
  if alive then
    call("SET", own, own_lease, "PX", lease)
  elseif not got and wait ~= "1" then
    call("DEL", own)
  end
  got = got or {11, 0, first_end()}
  got[2] = alive and 0 or 1
  return got
end

function verbs.release(number, how)
  local token = handle .. ":" .. number
  if not lease_of(token) then sweep() end
  local was_held = give_back(token, how) == 1
  if not was_held and leave_line(token) then call("HDEL", tokens, token) end
  if waiters > 0 then hand_on() end
  if holders == 0 and waiters == 0 then call("DEL", own) end
  return {was_held and 0 or 116}
end

-- A script that has begun with what needs no memory may go on without, so nothing is lost because there is none.
-- What it was granted and not told it knows now, so that is not given back.
function verbs.renew(count)
  local ended, prefix = call("PEXPIRE", own, lease) == 0, handle .. ":"
  local function is_own(token) return token:sub(1, #prefix) == prefix end
  if ended then leases[own] = false end
  for _, token in ipairs(ended and {} or call("ZRANGE", held, 0, -1)) do
    if is_own(token) then again(token) end
  end
  if ended or holders >= max then sweep() end
  call("SET", own, own_lease, "PX", lease)
  leases[own] = nil
  hand_on()
  local got, places = {}, 0
  for _, token in ipairs(call("ZRANGE", held, 0, -1)) do
    if is_own(token) then
      local grants = again(token)
      got[#got + 1] = ("%s %d %s"):format(token:match("(%d+)$"), grants[3], grants[4])
    end
  end
  for _, token in ipairs(waiters > 0 and call("ZRANGE", line, 0, -1) or {}) do
    if is_own(token) then places = places + 1 end
  end
  ended = ended or #got + places < tonumber(count)
  return {0, ended and 1 or 0, first_end(), table.concat(got, " ")}
end

function verbs.state()
  sweep()
  hand_on()
  local first = call("ZRANGE", held, 0, 0)[1]
  local holder = first and lease_of(first)
  return {0, max - holders, holder and holder.pid or 0}
end

function verbs.remove()
  remove_lock()
  return {0}
end

return verbs[verb](ARGV[7], ARGV[8])
