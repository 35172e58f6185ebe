-- SPDX-License-Identifier: MIT
-- ns from the kill of a job's holder until a process that waits in take has the job: 99 in 100 are at most that.
--   ipclua job_death.lua [KEY]

local ipc = require "ipc"

local KILLS <const> = 300

local key = arg[1] or ipc.private
local q <close> = assert(ipc.queue(key, {codec = "raw", attempts = 60000, deaths = 60000}))

local function hold(channel)
  local job <close> = q:take() -- luacheck: ignore
  channel:send "taken"
  ipc.sleep(1000)
end

local times = {}
assert(q:send(1, "a job"))
for i = 1, KILLS do
  local holder <close> = ipc.process(hold)
  assert(holder.channel:receive() == "taken")
  local waiter = ipc.task(function()
    local job = assert(q:take())
    local now = ipc.now()
    assert(job:release())
    return now
  end)
  ipc.yield()
  ipc.sleep(0.002) -- the program sleeps in its wait
  local killed = ipc.now()
  holder:signal "KILL"
  local _, now = waiter:join()
  times[i] = now - killed
end
if type(key) == "string" then q:remove() end
table.sort(times)
print(("%.0f"):format(times[math.ceil(KILLS * 0.99)] * 1e9))
