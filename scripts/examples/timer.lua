-- SPDX-License-Identifier: MIT
-- Timers: a clock that does not drift, ticks that are counted while Lua is busy with one of them,
-- and a call made once. See doc/timer.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua timer.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

-- The third tick is due 0.15 s after the start, however long the first two took to serve.
local start, n = ipc.now(), 0
ipc.timer(0.05, function(timer)
  n = n + 1
  print("tick", n)
  if n == 3 then
    print(("after %.2f s"):format(ipc.now() - start))
    timer:stop() -- a running timer keeps the program alive, a stopped one does not
  end
end)
ipc.run() -- waits until nothing is left to do

-- A timer never overlaps itself. What passed while its function ran is reported, not made up for.
local slow = true
ipc.timer(0.02, function(timer, missed)
  if slow then
    ipc.sleep(0.09)
    slow = false
  else
    print("missed at least three: " .. tostring(missed >= 3))
    timer:stop()
  end
end)
ipc.run()

-- Timers fire while a program is busy, too: this loop never waits.
local rang = false
ipc.after(0.05, function() rang = true end)
while not rang do end
print("rang")
