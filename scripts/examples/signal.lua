-- SPDX-License-Identifier: MIT
-- Signals: several listeners on one, with a value from the sender, and a plain wait for another.
-- See doc/signal.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua signal.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local me = ipc.pid()

-- The newest listener is asked first. One that returns true keeps the signal from the older ones.
local handler <close>, child = ipc.signal_handler("RTMIN")
handler:add(function(info)
  print("even ones arrive: " .. info.value)
  if info.value == 4 then child.channel:send("that was the last") end
end)
handler:add(function(info)
  if info.value % 2 == 1 then
    print("odd ones stop here: " .. info.value)
    return true
  end
end)

-- A Signal is for programs that would rather wait than be called. It collects from its first wait
-- on; before that, USR1 would end the program.
local usr1 = ipc.signal("USR1")
usr1:wait(0)

-- The child sends four numbers with a real-time signal: they arrive in order, and none is lost.
child = ipc.process(function(channel)
  channel:receive()
  for value = 1, 4 do ipc.signal("RTMIN"):dispatch(me, value) end
  channel:receive()
  ipc.signal("USR1"):dispatch(me)
end)
child.channel:send("begin")

local info = usr1:wait(5)
print(info.name .. " came from the child: " .. tostring(info.pid == child.pid))
print(child:wait())
