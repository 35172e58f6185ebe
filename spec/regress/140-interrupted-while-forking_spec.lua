-- SPDX-License-Identifier: MIT
-- Ctrl-C that came while ipc.process made a child raised "interrupted" before the handle was in its variable: the child
-- ran on, without a parent that knew of it.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 60

local program = [[
  local ipc = require "ipc"
  io.stdout:setvbuf("no")
  while true do
    print "again"
    local forked <close> = ipc.process(function() ipc.sleep(1000) end)
    local program <close> = ipc.process{"sleep", "1000"}
  end
]]

describe("Ctrl-C", function()
  it("leaves no child that was just being made", function()
    for round = 1, 5 do
      local child <close> = assert(ipc.process{host, "-e", program, stdout = "pipe", stderr = "null"})
      for _ = 1, 1 + round % 3 do assert.equal("again", child.stdout:receive(PATIENCE)) end
      child:signal("INT")
      local line, why
      repeat line, why = child.stdout:receive(PATIENCE) until not line
      assert.equal("closed", why) -- by all that had it
      assert.same({nil, "exit", 130}, {child:wait(PATIENCE)})
    end
  end)
end)
