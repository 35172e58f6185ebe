-- SPDX-License-Identifier: MIT
-- A trap: a loop that is busy all the time, and ends in good order when it is asked to.
-- See doc/signal.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua trap.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local function factory(channel)
  local trap <close> = ipc.signal_trap("TERM", "INT")
  channel:send("working")
  local made = 0
  repeat -- never waits: the signal arrives all the same
    made = made + 1
  until trap:trapped()
  channel:send { reason = trap:trapped().name, made = made }
end

local child <close> = ipc.process(factory)
print(child.channel:receive())
ipc.sleep(0.05)
child:signal("TERM")

local last = child.channel:receive()
print("stopped by " .. last.reason, last.made .. " pieces")
print(child:wait()) -- it ended by itself, so this is no "signal", 15
