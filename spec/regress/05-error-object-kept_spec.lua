-- SPDX-License-Identifier: MIT
-- The traceback of a task that fails is made at once, before its `<close>` variables are closed. These then got a table
-- of the runtime's, with error and traceback, in place of the error. And join gave the wrong error when the object that
-- was raised had a __tostring that failed, or waited: it was asked for its text, and what came of that took its place.

local ipc = require "ipc"

describe("the error of a task", function()
  it("is what its close variables get", function()
    local object, seen = {}, {}
    for _, value in ipairs{object, "text", 1.5} do
      local t = ipc.task(function()
        local _ <close> = setmetatable({}, {__close = function(_, err) seen[#seen + 1] = err end})
        error(value, 0)
      end)
      local ok, err = t:join()
      assert.is_false(ok)
      assert.is_true(rawequal(value, err))
    end
    assert.is_true(rawequal(object, seen[1]))
    assert.same({"text", 1.5}, {seen[2], seen[3]})
  end)

  it("reaches a join, whatever its __tostring does", function()
    for _, tostring_of in ipairs{
      function() error("no text") end, function() ipc.sleep(0.001) end, function() return 1 end,
      function() return {} end, function() coroutine.yield() end,
    } do
      local object = setmetatable({}, {__tostring = tostring_of})
      local t = ipc.task(function() error(object) end)
      local ok, err = t:join()
      assert.is_false(ok)
      assert.is_true(rawequal(object, err))
    end
  end)
end)
