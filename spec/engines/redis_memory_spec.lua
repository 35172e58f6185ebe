-- SPDX-License-Identifier: MIT
-- Shared memory on a server: its slots are of one string, and each access asks for one of them.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting
local EFBIG <const> = 27
local HIGH, LOW = math.maxinteger, math.mininteger

local missing = engines.redis.missing

describe("on a redis server,", function()
  if missing then return pending(missing) end

  local server
  setup(function() server = redis_process() end)
  teardown(function() server:close() end)
  after_each(function() server:cli("flushall") end)

  local function open_memory(slots) return assert(ipc.shared_memory(server:key("x"), slots or 8)) end

  describe("shared memory", function()
    it("has at most as many slots as a server's string has room for", function()
      local m, why, code = ipc.shared_memory(server:key("x"), (1 << 26) - 3)
      assert.same({nil, EFBIG}, {m, code})
      assert.matches("of 67108861 slots", why)
    end)

    it("takes no room for what was never written", function()
      local m <close> = open_memory((1 << 26) - 4)
      m[99] = 1
      assert.equal("832", server:cli("strlen 'ipclua:{x}:memory:slots'"))
      assert.same({0, 1, 0, 0}, {m[98], m[99], m[100], m[#m - 1]})
      assert.same({false, 0}, {m:compare_and_swap(100, 1, 2)})
      assert.is_true(m:compare_and_swap(100, 0, LOW))
      assert.equal(HIGH, m:add(100, -1))
    end)

    it("gives each of many tasks its own answer", function()
      local m <close> = open_memory(1000)
      local tasks = {}
      for i = 0, 999 do
        tasks[i] = ipc.task(function()
          m[i] = i
          assert(m:add(i, HIGH) == i + HIGH)
          assert(m:compare_and_swap(i, i + HIGH, -i))
          return m[i]
        end)
      end
      for i = 0, 999 do assert.same({true, -i}, {tasks[i]:join(PATIENCE)}) end
    end)

    it("cannot be read where nothing can wait", function()
      local m <close> = open_memory()
      local t = ipc.task(pcall, table.sort, {1, 2, 3}, function(a, b) return a + m[0] < b end)
      local _, ok, why = t:join(PATIENCE)
      assert.is_false(ok)
      assert.matches("cannot wait", why)
      assert.equal(0, m[0])
    end)

    it("closed by another task while it is asked, raises in an access, and is told by a method", function()
      local m = open_memory()
      server:pause()
      local read = waiting(pcall, function() return m[0] end)
      local write = waiting(pcall, function() m[0] = 1 end)
      local add = waiting(function() return m:add(0, 1) end)
      server:blocked()
      m:close()
      server:unpause()
      assert.matches("shared memory .* is closed", select(3, read:join(PATIENCE)))
      assert.matches("shared memory .* is closed", select(3, write:join(PATIENCE)))
      assert.same({true, nil, "closed"}, {add:join(PATIENCE)})
      local again <close> = open_memory()
      assert.equal(2, again[0]) -- what was asked for is done all the same
    end)
  end)
end)
