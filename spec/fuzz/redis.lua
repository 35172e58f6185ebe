-- SPDX-License-Identifier: MIT
-- A client of a hostile server (redis_hostile.py): calls of every noun, over as many connections as are asked for.
-- Nothing may crash, or raise an error that is no answer; no call takes longer than its timeouts and half a second; and
-- the memory has a bound. When the server tells the truth again, everything works.
--   ipclua spec/fuzz/redis.lua [CONNECTIONS [SEED]]

local ipc = require "ipc"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"

local CONNECTIONS <const> = tonumber(arg[1]) or 300
local SEED <const> = tonumber(arg[2]) or os.time()
local WORKERS <const>, TIMEOUT <const>, WAIT <const>, LATE <const>, HANGS <const> = 16, 0.15, 0.1, 0.5, 30
local MOST <const> = (os.getenv("IPC_SANITIZE") and 2000 or 400) << 20

print(("hostile server: %d connections, seed %d"):format(CONNECTIONS, SEED))
math.randomseed(SEED)

local server <close> = redis_process()
local path = os.tmpname()
os.remove(path)
local hostile <close> = peer.start("../../fuzz/redis_hostile.py", path, server.folder .. "/socket", SEED)

-- bytes of memory: the most so far
local function peak()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmHWM:%s+(%d+)")
    if kilobytes then return tonumber(kilobytes) << 10 end
  end
  return 0
end

-- seconds for which this process could have run and was not let
local function delayed()
  local file = io.open("/proc/self/schedstat")
  if not file then return 0 end
  local _, nanoseconds = file:read("n", "n")
  file:close()
  return (nanoseconds or 0) / 1e9
end

local NOUNS <const> = {
  {ipc.queue, function(q) return q:send(math.random(3), ("x"):rep(math.random(0, 50))) end,
    function(q) return q:send(1, "x", WAIT) end, function(q) return q:receive(math.random(-2, 2), WAIT) end,
    function(q) return q:receive(0, 0) end, function(q) return q:peek() end, function(q) return q:stat() end,
    function(q) return #q end,
    function(q) return q:send(1, "x", WAIT, {id = "i" .. math.random(9), after = math.random(0, 1) / 50}) end,
    function(q)
      local job = q:take(math.random(-2, 2), WAIT)
      return job and job[({"done", "retry", "release", "bury"})[math.random(4)]](job)
    end,
    function(q) return q:dead()(q) end, function(q) return q:revive() end, function(q) return q:drop("i1") end},
  {ipc.mutex, function(m) return m:acquire(WAIT) end, function(m) return m:acquire(0) end,
    function(m) return m:release() end, function(m) return m:holder() end, function(m) return m:token() end},
  {function(key) return ipc.semaphore(key, 2) end, function(s) return s:acquire(WAIT) end,
    function(s) return s:release() end, function(s) return s:value() end},
  {ipc.shared_data, function(d) return d:set(("n%d"):format(math.random(9)), {1, "x"}) end,
    function(d) return d:get("n" .. math.random(9)) end, function(d) return d:add("c", 1) end,
    function(d) return d:delete("n" .. math.random(9)) end, function(d) return d:wait("n1", 0, WAIT) end,
    function(d) return d:stat() end, function(d) return next(d) end},
  {function(key) return ipc.shared_memory(key, 4) end, function(m) return m[math.random(0, 3)] end,
    function(m) m[1] = math.random(99) end, function(m) return m:add(2, 1) end,
    function(m) return m:compare_and_swap(1, 0, 7) end, function(m) return m:wait(1, 0, WAIT) end},
}

local slowest, calls = 0, 0

-- Errors are answers, too, but not those of Lua.
local function call(what, fn, ...)
  local began, before = ipc.now(), delayed()
  local ok, message = pcall(fn, ...)
  local late = ipc.now() - began - TIMEOUT - WAIT
  calls = calls + 1
  if not ok and tostring(message):find("attempt to", 1, true) then error(what .. ": " .. tostring(message), 0) end
  if late > LATE then -- the machine may have been busy with others
    late = late - math.max(delayed() - before, tonumber(hostile:ask("lag")))
  end
  slowest = math.max(slowest, late)
  if late > LATE then error(("%s is %.2f s late"):format(what, late), 0) end
  return ok and message or nil
end

local over = false
local function work(database)
  while not over do
    local noun = math.random(#NOUNS)
    local of = NOUNS[noun]
    local key = ("redis+unix://%s?db=%d&name=n&timeout=%s&lease=0.5"):format(path, database, TIMEOUT)
    local object <close> = call("constructor " .. noun, of[1], key)
    local tasks = {}
    for i = 1, object and math.random(6) or 0 do
      local which = math.random(2, #of)
      tasks[i] = ipc.task(call, ("call %d.%d"):format(noun, which), of[which], object)
    end
    for _, task in ipairs(tasks) do
      local ok, message = task:join(HANGS)
      if not ok then error(message == "timeout" and "a call of noun " .. noun .. " hangs" or message, 0) end
    end
  end
end

local workers = {}
for i = 1, WORKERS do workers[i] = ipc.task(work, i - 1) end
repeat
  ipc.sleep(0.05)
  for _, worker in ipairs(workers) do over = over or worker:status() == "done" end
until over or tonumber(hostile:ask("count")) >= CONNECTIONS
over = true
for _, worker in ipairs(workers) do
  local ok, message = worker:join(HANGS)
  if not ok then error(("seed %d: %s"):format(SEED, message), 0) end
end

hostile:ask("truth")
local deadline = ipc.now() + HANGS
local q
repeat q = ipc.queue(("redis+unix://%s?name=after"):format(path)) until q or ipc.now() > deadline
local sent, received
repeat sent = q:send(1, "x") until sent or ipc.now() > deadline
repeat received = q:receive(1, 1) until received or ipc.now() > deadline
assert(received == "x", "nothing works after it")
assert(peak() < MOST, ("%d MiB of memory"):format(peak() >> 20))
print(("hostile server: %d calls over %d connections, the latest %.2f s late, %d MiB of memory"):format(calls,
  tonumber(hostile:ask("count")), slowest, peak() >> 20))
