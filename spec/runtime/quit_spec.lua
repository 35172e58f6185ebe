-- SPDX-License-Identifier: MIT
-- SIGQUIT in the host: the program says what it waits for, and goes on.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"

-- Runs the code, which writes a line when it is time, and sends SIGQUIT to it then. Returns the process.
local function quit(code)
  local text = "local ipc = require 'ipc' " .. code
  local child = assert(ipc.process{"env", "--default-signal=QUIT", host, "-e", text, stdout = "pipe", stderr = "pipe"})
  child.stdout:receive()
  child:signal("QUIT")
  return child
end

local function until_line(child, pattern)
  for line in child.stderr:messages() do if line:find(pattern) then return line end end
  error("it did not say " .. pattern)
end

describe("SIGQUIT in the host", function()
  it("tells the tasks and goes on", function()
    local child <close> = quit [[
      ipc.task{name = "feeder", function() ipc.sleep(1000) end}
      ipc.yield()
      print "ready" io.stdout:flush()
      ipc.sleep(1000)]]
    until_line(child, "^ipc: pid " .. child.pid .. ", tasks: 1$")
    until_line(child, "task %d+ 'feeder', .*, waits %d+%.%d s: sleep$")
    child:signal("QUIT")
    until_line(child, "^ipc: pid ")
    child:signal("KILL")
  end)

  it("is answered while Lua is busy #busy", function()
    local child <close> = quit [[
      ipc.task{name = "feeder", function() ipc.sleep(1000) end}
      ipc.sleep(0.001)
      print "ready" io.stdout:flush()
      while true do end]]
    until_line(child, "'feeder'")
    child:signal("KILL")
  end)

  it("is the program's own as soon as that wants it", function()
    local child <close> = quit [[
      ipc.signal("QUIT"):default()
      print "ready" io.stdout:flush()
      ipc.sleep(1000)]]
    assert.same({nil, "signal", 3}, {child:wait(20)})
  end)
end)
