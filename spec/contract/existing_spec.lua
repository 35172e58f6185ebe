-- SPDX-License-Identifier: MIT
-- What every engine promises of `create = false`: what is not there is not made, and what is there is opened.

local ipc = require "ipc"
local contract = require "spec.support.contract"

local ENOENT = 2

-- Of each noun: its constructor with these options, and what else it wants.
local nouns = {
  queue = function(key, options) return ipc.queue(key, options) end,
  mutex = function(key, options) return ipc.mutex(key, options) end,
  semaphore = function(key, options) return ipc.semaphore(key, 2, options) end,
  shared_memory = function(key, options) return ipc.shared_memory(key, 3, options) end,
  shared_data = function(key, options) return ipc.shared_data(key, options) end,
}

for name, make in pairs(nouns) do
  contract.each(_ENV, ("create = false of ipc.%s"):format(name), ipc[name], function(_, _, keyed, key)
    keyed("makes nothing, and says that there is none", function()
      for _ = 1, 2 do
        local object, problem, errno = make(key(), {create = false})
        assert.is_nil(object)
        assert.equal(ENOENT, errno)
        assert.truthy(problem:find("there is none", 1, true), problem)
      end
    end)

    keyed("opens what is there", function()
      local object <close> = assert(make(key(), {}))
      local same <close> = assert(make(key(), {create = false}))
      assert.is_true(same:remove())
      assert.equal(ENOENT, (select(3, make(key(), {create = false}))))
      object:close()
    end)

    it("is true or false", function()
      assert.error_matches(function() make(key(), {create = 1}) end, "create must be true or false, got 1")
    end)
  end)
end

describe("create = false", function()
  it("makes no private object", function()
    for _, make in pairs(nouns) do
      assert.equal(ENOENT, (select(3, make(ipc.private, {create = false}))))
    end
  end)
end)
