-- SPDX-License-Identifier: MIT
-- In a task of stock Lua an operation that waits gets a copy of what it was given, since coroutine.close may take the
-- stack away. A change of shared data was given as a list with pointers, of which so many bytes were copied as it had
-- names: the engines that ask somewhere else read what was behind it, and the program died. Now it is one piece of
-- bytes, names and values in it.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

for _, engine in ipairs{engines.disk, engines.redis} do
  describe("shared data on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end
    after_each(engine.cleanup)

    it("is changed in a task", function()
      local d <close> = assert(ipc.shared_data(engine.key()))
      local tasks = {}
      for i = 1, 8 do
        tasks[i] = ipc.task(function()
          return d:change(function(change)
            for n = 1, 20 do change:set(("%d %d"):format(i, n), ("v"):rep(n)) end
            change:delete("never")
            change:set(i, i) -- a number is the name of its digits
            return change:get("other")
          end)
        end)
      end
      for i = 1, 8 do assert.same({true}, {tasks[i]:join(PATIENCE)}) end
      assert.equal(8 * 21, d:count())
      for i = 1, 8 do
        assert.equal(i, (d:get(tostring(i))))
        for n = 1, 20 do assert.equal(("v"):rep(n), (d:get(("%d %d"):format(i, n)))) end
      end
      assert(d:remove())
    end)
  end)
end
