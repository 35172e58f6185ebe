-- SPDX-License-Identifier: MIT
-- A program that ran out of memory with many tasks said so, and then collected garbage once for each task that it had
-- to unwind, in vain: that took minutes.

local home = require "spec.support.homes" [1]

local LIMITED <const> = [[sh -c 'ulimit -v 90000; exec "$@"' sh]]

-- Each makes more until there is no memory.
local programs = {
  ["tasks that sleep"] = [[
    while true do
      ipc.task(ipc.sleep, 1000)
      ipc.yield()
    end]],
  ["tasks with something to close"] = [[
    local closer = setmetatable({}, {__close = function() return {} end})
    while true do
      ipc.task(function()
        local _ <close> = closer
        ipc.sleep(1000)
      end)
      ipc.yield()
    end]],
  ["tasks of a scope"] = [[
    ipc.scope(function(scope)
      while true do
        scope:task(ipc.sleep, 1000)
        ipc.yield()
      end
    end)]],
  ["tasks that wait for a message"] = [[
    local queue = ipc.queue(ipc.private)
    while true do
      ipc.task(function() queue:receive() end)
      ipc.yield()
    end]],
  ["timers"] = "while true do ipc.timer(1000, function() end) end",
}

describe("a program without memory #nosan", function()
  for name, program in pairs(programs) do
    it("ends at once: " .. name, function()
      local _, status, errors = home.run(program, LIMITED)
      assert.equal("exit 1", status, errors)
      assert.matches("not enough memory", errors)
    end)
  end
end)
