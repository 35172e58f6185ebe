-- KEYS: meta held line seen who
-- All that is done to a lock, so that whoever comes finds the permits of the dead free, and the first in line served.
--   meta  id, max, tells (a mutex: of deaths), abandoned (one is to be told), fence, arrivals; run (of the server),
--         since (when it was noticed)
--   held  token -> when its lease ends, ms
--   line  token -> number of arrival
--   seen  token in line -> when to forget it
--   who   token -> pid, lease in ms, hears (its process listens), fence, abandoned, told (its process knows)
-- A token is "client:number", and is published to on "base:client". All is safe to be done twice. Verbs and replies,
-- where `end` is how many ms from now the first lease ends, or -1:
--   acquire number, wait             0, now, abandoned, fence; or 11 (EAGAIN), now, end
--   release number, how              0, now; or 116 (ESTALE): its lease had ended. how: given, died, undone
--   tend    numbers held, in line    0, now, end, numbers lost, and of those granted: number abandoned fence
--   look                             0, now, free permits, pid of a holder or 0
-- ARGV: id, verb, client, lease in ms, pid, hears, and what follows the verb
local meta, held, line, seen, who = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local verb, client, lease, pid, hears = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local call = redis.call

local found = call("HMGET", meta, "id", "max", "tells", "fence", "abandoned")
if found[1] ~= ARGV[1] then return {43} end
local max, tells, last_fence, is_abandoned = tonumber(found[2]), found[3] == "1", tonumber(found[4] or 0), found[5]
local time = call("TIME")
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local waiters = call("ZCARD", line) -- or more, later

-- What the server has evicted a part of is no lock any more.
if call("HLEN", who) ~= waiters + call("ZCARD", held) or (waiters > 0 and call("ZCARD", seen) ~= waiters) then
  for _, token in ipairs(call("HKEYS", who)) do
    redis.pcall("PUBLISH", meta:gsub("meta$", token:match("^(.*):") or ""), "removed " .. ARGV[1])
  end
  for _, token in ipairs(call("ZRANGE", line, 0, -1)) do
    redis.pcall("PUBLISH", meta:gsub("meta$", token:match("^(.*):") or ""), "removed " .. ARGV[1])
  end
  call("DEL", meta, held, line, seen, who)
  return {43}
end

local function know(token, p, l, h, fence, abandoned, told)
  call("HSET", who, token, table.concat({p, l, h, fence, abandoned, told}, " "))
end

local function known(token)
  local text = call("HGET", who, token) or ""
  local p, l, h, fence, abandoned, told = text:match("^(%d+) (%d+) (%d) (%d+) (%d) (%d)$")
  return p or "0", tonumber(l or lease), h or "0", fence or "0", abandoned or "0", told or "0"
end

-- What was never told to anybody was not held, so nobody died with it; but it may have taken the word of a death along.
-- Returns 1, or 0: it was not held.
local function give_back(token, how)
  if tells and how ~= "given" and call("ZSCORE", held, token) then
    local _, _, _, _, abandoned, told = known(token)
    if how == "died" and told == "1" or abandoned == "1" then
      call("HSET", meta, "abandoned", 1)
      is_abandoned = "1"
    end
  end
  local was_held = call("ZREM", held, token)
  if was_held == 1 then call("HDEL", who, token) end
  return was_held
end

local function leave_line(token)
  call("ZREM", seen, token)
  return call("ZREM", line, token) == 1
end

-- Only grows, over a removal and over data that the server lost, too: it is a number of microseconds, or the next.
local function next_fence()
  return ("%.0f"):format(math.max(last_fence + 1, micros))
end

local function grant(token, p, l, h, told)
  local fence, abandoned = "0", 0
  if tells then
    fence = next_fence()
    call("HSET", meta, "fence", fence)
    last_fence = tonumber(fence)
    if is_abandoned then abandoned = call("HDEL", meta, "abandoned") end
    is_abandoned = false
  end
  call("ZADD", held, now + math.floor(told == 1 and l or l / 3), token)
  know(token, p, l, h, fence, abandoned, told)
  return {0, now, abandoned, fence}
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
  return tonumber(call("ZSCORE", seen, token) or now) - l < since
end

-- A process that listens is told, and hears it unless cut off: then the token keeps its place, and the next one is
-- asked. A process that does not listen yet, or was cut off by a restart of the server, is about to ask: it has a third
-- of its lease to do so.
local deaf = {}
local function hears_it(token, h)
  local to, number = token:match("^(.*):(%d+)$")
  local message = ("%s %d %s %d"):format(number, is_abandoned and 1 or 0, tells and next_fence() or "0", now)
  if h ~= "1" or deaf[to] then return false end
  local heard = redis.pcall("PUBLISH", meta:gsub("meta$", to), message) -- not allowed: as if it did not hear
  deaf[to] = type(heard) == "table" or heard == 0
  return not deaf[to]
end

local function hand_to(token)
  local p, l, h = known(token)
  local told = hears_it(token, h)
  if not told and h == "1" and not is_yet_to_come(token, l) then return false end
  grant(token, p, l, h, told and 1 or 0)
  leave_line(token)
  return true
end

-- Free permits go to who stands first. Returns how many are left, and what the one who asks got. A server without
-- memory says so at the first change; nobody must be told before that.
local function hand_on(asks)
  local free, place, got = max - call("ZCARD", held), 0, nil
  while free > 0 and waiters > 0 do
    local batch = call("ZRANGE", line, place, place + 15)
    if #batch == 0 then break end
    if type(redis.pcall("HINCRBY", meta, "arrivals", 0)) == "table" then break end
    for _, token in ipairs(batch) do
      if free == 0 then break end
      if token == asks then
        got = grant(token, pid, lease, hears, 1)
        leave_line(token)
        free = free - 1
      elseif hand_to(token) then
        free = free - 1
      else
        place = place + 1
      end
    end
  end
  return free, got
end

-- A holder that has it knows it has it, now.
local function again(token)
  local p, l, h, fence, abandoned = known(token)
  call("ZADD", held, now + lease, token)
  know(token, p, l, h, fence, abandoned, 1)
  return {0, now, tonumber(abandoned), fence}
end

local function first_end()
  local first = call("ZRANGE", held, 0, 0, "WITHSCORES")
  return first[2] and tonumber(first[2]) - now or -1
end

for _, token in ipairs(call("ZRANGEBYSCORE", held, "-inf", now)) do give_back(token, "died") end
if waiters > 0 then
  for _, token in ipairs(call("ZRANGEBYSCORE", seen, "-inf", now)) do
    leave_line(token)
    call("HDEL", who, token)
  end
end

local verbs = {}

function verbs.acquire(number, wait)
  local token = client .. ":" .. number
  if call("ZSCORE", held, token) then return again(token) end
  local waits = waiters > 0 and call("ZSCORE", line, token)
  local free, got = hand_on(waits and token)
  if got then return got end
  if free > 0 and not waits then return grant(token, pid, lease, hears, 1) end
  if wait == "1" then
    if not waits then call("ZADD", line, call("HINCRBY", meta, "arrivals", 1), token) end
    call("ZADD", seen, now + lease, token)
    know(token, pid, lease, hears, 0, 0, 0)
  end
  return {11, now, first_end()}
end

function verbs.release(number, how)
  local token = client .. ":" .. number
  local was_held = give_back(token, how) == 1
  if not was_held and leave_line(token) then call("HDEL", who, token) end
  if waiters > 0 then hand_on() end
  return was_held and {0, now} or {116, now}
end

-- Those in line that are not, any more, were silent for too long: they are lost, too, and come again. A script that has
-- begun with a removal may go on without memory, so nothing is lost because there is none.
function verbs.tend(holds, waits)
  local lost, got = {}, {}
  call("ZREM", held, "")
  for number in holds:gmatch("%d+") do
    local token = client .. ":" .. number
    if call("ZSCORE", held, token) then call("ZADD", held, now + lease, token) else lost[#lost + 1] = number end
  end
  hand_on()
  for number in waits:gmatch("%d+") do
    local token = client .. ":" .. number
    if call("ZSCORE", held, token) then
      local grants = again(token)
      got[#got + 1] = ("%s %d %s"):format(number, grants[3], grants[4])
    elseif call("ZSCORE", line, token) then
      call("ZADD", seen, now + lease, token)
      know(token, pid, lease, hears, 0, 0, 0)
    else
      lost[#lost + 1] = number
    end
  end
  return {0, now, first_end(), table.concat(lost, " "), table.concat(got, " ")}
end

function verbs.look()
  local free = hand_on()
  local first = call("ZRANGE", held, 0, 0)[1]
  return {0, now, free, first and known(first) or 0}
end

return verbs[verb](ARGV[7], ARGV[8])
