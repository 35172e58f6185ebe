-- SPDX-License-Identifier: MIT
-- A task that called os.exit(status, true) in its clean-up, at the end of the program, waited for its own end, which is
-- a second, and was mentioned as one that did not end.

local home = require "spec.support.homes" [1] -- in stock Lua the tasks that are left are dropped

local PRELUDE <const> = [[
  local function at_close(fn)
    ipc.task(function()
      local _ <close> = setmetatable({}, {__close = fn})
      ipc.sleep(100)
    end):detach()
    ipc.yield()
  end
]]

describe("os.exit in the clean-up of a task", function()
  local programs = {
    ["alone"] = "at_close(function() os.exit(5, true) end)",
    ["in a shield"] = "at_close(function() ipc.shield(function() ipc.sleep(0.001) os.exit(5, true) end) end)",
    ["beside a task that cleans up"] = [[
      at_close(function() os.exit(5, true) end)
      at_close(function() ipc.shield(ipc.sleep, 0.001) print "closed" end)]],
    ["beside a task that has begun to clean up"] = [[
      at_close(function() ipc.shield(ipc.sleep, 0.001) print "closed" end)
      at_close(function() os.exit(5, true) end)]],
    ["after an error"] = "at_close(function() os.exit(5, true) end) error('main', 0)",
    ["of a task that os.exit ends"] = "at_close(function() os.exit(5, true) end) os.exit(4, true)",
  }
  for where, program in pairs(programs) do
    it("ends the program at once: " .. where, function()
      local output, status, errors = home.run(PRELUDE .. program)
      assert.equal(where:find "beside" and "closed\n" or "", output)
      assert.equal("exit 5", status)
      assert.is_nil(errors:find("did not end", 1, true), errors)
    end)
  end
end)
