-- SPDX-License-Identifier: MIT
-- A rate limiter for many processes, in one slot of shared memory: the time at which the next request may go out.
-- See doc/shared_memory.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua rate_limiter.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local INTERVAL, BURST = 10000, 5 -- one every 10 ms, in microseconds; 5 at once after a pause

-- For this process, and the children that it forks; with a key of a name, for all programs that know the name.
local limiter = ipc.shared_memory(ipc.private, 1)

-- Takes the next free time, and sleeps until then. ipc.now() is the same clock in every process.
local function admit()
  local now, due, at
  repeat
    now = math.floor(ipc.now() * 1e6)
    due = limiter[0]
    at = math.max(due, now - (BURST - 1) * INTERVAL)
  until limiter:compare_and_swap(0, due, at + INTERVAL) -- else another one was faster: look again
  if at > now then ipc.sleep((at - now) / 1e6) end
  return at
end

local function client(channel)
  for _ = 1, 6 do
    local at = admit()
    channel:send { at = at, went = ipc.now() * 1e6 }
  end
end

local children, requests = {}, {}
for i = 1, 4 do children[i] = ipc.process(client) end
for _, child in ipairs(children) do
  for request in child.channel:messages() do requests[#requests + 1] = request end
  child:wait()
end

-- Each got a time of its own, and none went before it.
table.sort(requests, function(a, b) return a.at < b.at end)
local early = 0
for i, request in ipairs(requests) do
  local before = requests[i - 1]
  if request.went < request.at or before and request.at < before.at + INTERVAL then early = early + 1 end
end
print(("%d requests of %d processes, %d too early"):format(#requests, #children, early))
print("at 100 in a second they need:", requests[#requests].at - requests[1].at >= 230000)
