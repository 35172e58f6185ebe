-- SPDX-License-Identifier: MIT
-- A supervisor: it starts its children in order, starts again what fails, with growing pauses, and stops them all, the
-- last one first, when a signal says so. See doc/supervisor.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua supervisor.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

-- A service that fails when it is started for the first and the second time.
local starts = os.tmpname()
local _ <close> = setmetatable({}, {__close = function() -- at the end, whatever that is
  local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
  os.remove(starts)
end})

local function flaky()
  local file <close> = assert(io.open(starts, "a+"))
  local count = file:seek("end")
  file:write(".")
  if count < 2 then os.exit(1) end
  ipc.sleep(3600)
end

local up = 0
local supervisor = require "ipc.supervisor".new {
  children = {
    {name = "store", program = {"sleep", 3600}},
    {name = "web", fn = flaky, restart = "on_failure", backoff = {min = 0.01, max = 1}, restarts = 5},
  },
  grace = 2,
  event = function(what, name, ...)
    if what == "started" then
      print(what, name)
      up = up + 1
    else
      print(what, name, ...)
    end
    if up == 4 and what == "started" then ipc.signal("TERM"):dispatch(ipc.pid()) end -- as an operator would
  end,
}

local how, signal = supervisor:run()
print("all " .. how .. " by " .. signal.name)
for _, child in ipairs(supervisor:status()) do print(child.name, child.state, child.started) end
