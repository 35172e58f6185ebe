-- SPDX-License-Identifier: MIT
-- Private shared data that its process had closed while a forked child had it, and that child was killed then, stayed
-- in /dev/shm until some process made shared data again.

local ipc = require "ipc"

local PATIENCE <const> = 60

describe("private shared data", function()
  it("leaves no directory when its process ends after a child that was killed", function()
    local child = assert(ipc.process(function(channel)
      local data = assert(ipc.shared_data(ipc.private))
      local heir <close> = ipc.process(function() ipc.sleep(1000) end)
      data:close()
      heir:signal("KILL")
      heir:wait()
      channel:send(ipc.pid())
    end))
    local pid = assert(child.channel:receive(PATIENCE))
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
    local list = io.popen("ls -d /dev/shm/ipclua.tmp." .. pid .. ".* 2>/dev/null")
    local left = list:read("a")
    list:close()
    assert.equal("", left)
  end)
end)
