-- SPDX-License-Identifier: MIT
-- Everything the runtime allocates for, once each: tasks, scopes, select, timers, signals, channels.
local ipc = require "ipc"

local function work(n)
  ipc.sleep(0.0001)
  return n, {n}
end

local tasks = {}
for i = 1, 5 do tasks[i] = ipc.task(work, i) end
for i = 1, 5 do assert(select(2, assert(tasks[i]:join())) == i) end

assert(ipc.timeout(5, work, 7) == 7)
assert(select(2, ipc.timeout(0.0001, ipc.sleep, 5)) == "timeout")
ipc.scope(function(scope)
  for _ = 1, 3 do scope:task(ipc.sleep, 0.0001) end
end)

local a, b = ipc.stream_channel_pair()
local text = ("x"):rep(300000)
local sender = ipc.task(function()
  local _ <close> = a -- if this fails, the receiver is told
  for i = 1, 5 do assert(a:send({i = i, list = {1.5, "two", ipc.null}, big = (1 << 60) + i})) end
  assert(a:send(text))
end)
for i = 1, 5 do
  local message = assert(b:receive(5)) -- a sender that has no memory to begin closes nothing
  assert(message.i == i and message.big == (1 << 60) + i)
end
assert(b:receive(5) == text)
assert(sender:join())

local quiet, other = ipc.stream_channel_pair()
assert(tostring(other))
local key, value = ipc.select({quiet, tick = ipc.timer(0.0001)}, 5)
assert(key == "tick" and value >= 1)

-- a callback that runs out of memory is reported, and its work is not done: then give up
local function await(done)
  local deadline = ipc.now() + 3
  while not done() do
    if ipc.now() > deadline then error("a callback has failed") end
    ipc.sleep(0.0002)
  end
end

local ticks = 0
local timer <close> = ipc.timer(0.0002, function() ticks = ticks + 1 end)
ipc.after(0, function() ticks = ticks + 1 end)
await(function() return ticks >= 3 end)
timer:stop()

local seen = 0
local handler <close> = ipc.signal_handler("USR1")
handler:add(function(info) seen = seen + info.value end)
local trap <close> = ipc.signal_trap("USR2")
local pid = ipc.pid()
assert(ipc.signal("USR1"):dispatch(pid, 5))
assert(ipc.signal("USR2"):dispatch(pid))
assert(trap:wait(5).name == "USR2")
await(function() return seen == 5 end)

local generator = coroutine.wrap(function()
  for i = 1, 3 do
    ipc.sleep(0.0001)
    coroutine.yield(i)
  end
end)
assert(generator() + generator() + generator() == 6)
