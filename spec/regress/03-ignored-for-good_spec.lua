-- SPDX-License-Identifier: MIT
-- ipc.signal("USR1"):ignore() held only until the collector came by: the finaliser of the object that was not kept put
-- back the default action, and the next signal killed the process.

local ipc = require "ipc"

describe("a signal that is ignored", function()
  it("stays so when its object is collected", function()
    local child = ipc.process(function(channel)
      ipc.signal("USR1"):ignore()
      collectgarbage()
      collectgarbage()
      channel:send("ready")
      channel:receive()
    end)
    assert.equal("ready", child.channel:receive(10))
    assert(child:signal("USR1"))
    child.channel:close()
    assert.same({true, "exit", 0}, {child:wait(10)})
  end)
end)
