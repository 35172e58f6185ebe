-- SPDX-License-Identifier: MIT
-- A trap that a task still held when the main chunk had ended lost its signal: the host put its own handler for
-- SIGINT over the trap's before it waited for the tasks.

local host = os.getenv("IPCLUA") or "build/ipclua"

describe("a trap that outlives the main chunk", function()
  it("still catches its signal", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write([[
      local ipc = require "ipc"
      local pid = ipc.pid()
      local trap = ipc.signal_trap("INT")
      ipc.task(function()
        ipc.signal("INT"):dispatch(pid)
        print(trap:wait(5).name)
      end)
    ]])
    file:close()
    local pipe = assert(io.popen(host .. " " .. script .. " 2>&1; echo $?"))
    local output = pipe:read("a")
    pipe:close()
    os.remove(script)
    assert.equal("INT\n0\n", output)
  end)
end)
