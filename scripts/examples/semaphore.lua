-- SPDX-License-Identifier: MIT
-- A semaphore: of six processes that want to do the same thing, two may at a time.
-- See doc/semaphore.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua semaphore.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local ovens = ipc.semaphore(ipc.private, 2) -- for this process, and the children that it forks

local function baker(channel)
  local from, to
  do
    local _ <close> = ovens:hold() -- given back at the end of the block, whatever happens in it
    from = ipc.now()
    ipc.sleep(0.05)
    to = ipc.now()
  end
  channel:send { from = from, to = to } -- the clock is the same in all processes
end

local children, times = {}, {}
for i = 1, 6 do children[i] = ipc.process(baker) end
for i, child in ipairs(children) do
  times[i] = child.channel:receive()
  child:wait()
end

-- When one begins, how many are at it?
local most = 0
for _, one in ipairs(times) do
  local busy = 0
  for _, other in ipairs(times) do
    if other.from <= one.from and one.from < other.to then busy = busy + 1 end
  end
  most = math.max(most, busy)
end
print(#times .. " bakers, never more than two at a time:", most <= 2)
print("free ovens:", ovens:value())

-- A baker that is killed leaves no oven occupied: its permit is given back.
local unlucky = ipc.process(function(channel)
  ovens:acquire()
  channel:send "baking"
  ipc.sleep(3600)
end)
print(unlucky.channel:receive(), ovens:value())
unlucky:signal("KILL")
unlucky:wait()
print("killed", ovens:value())

-- acquire(0) only tries.
print(ovens:acquire(0), ovens:acquire(0), ovens:acquire(0))
