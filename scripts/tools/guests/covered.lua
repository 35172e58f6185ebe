-- SPDX-License-Identifier: MIT
-- Lines in tasks, callbacks and coroutines of tasks, all of which a coverage tool is to see.

local ipc = require "ipc"

local ticks = 0

local function on_tick(timer)
  ticks = ticks + 1
  timer:stop()
end

local function in_task()
  ipc.yield()
  local generate = coroutine.wrap(function()
    ipc.yield()
    coroutine.yield(1)
  end)
  generate()
end

local handler <close> = ipc.signal_handler("USR1")
handler:add(function()
  ipc.yield()
  ticks = ticks + 1
end)
ipc.signal("USR1"):dispatch(ipc.pid())
ipc.timer(0.001, on_tick)
ipc.task(in_task):join()
ipc.timeout(10, function()
  ipc.yield()
end)
while ticks < 2 do ipc.sleep(0.001) end
