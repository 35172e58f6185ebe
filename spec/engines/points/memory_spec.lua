-- SPDX-License-Identifier: MIT
-- A process dies before every single store that it makes into shared memory, or at a system call that makes or removes
-- it or shared data: `make points` runs this. LMDB's own stores are its affair; the storm of kills is about those.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local points = require "spec.support.points"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"

local PATIENCE <const> = points.PATIENCE
local shm = engines.shm

describe("a process that dies at a store, with shared memory or data", function()
  if points.missing then return pending(points.missing) end

  local key
  before_each(function() key = shm.key() end)
  after_each(shm.cleanup)

  local function memory() return assert(ipc.shared_memory(key, 4)) end
  local function data() return assert(ipc.shared_data(key, {size = 65536})) end

  for name, act in pairs{
    write = function(m) m[1] = 5 end, add = function(m) m:add(1, 5) end,
    compare_and_swap = function(m) m:compare_and_swap(1, 0, 5) end,
  } do
    it("has changed a slot, or not, and wakes the waiter for it: " .. name, function()
      local m, waiter = memory(), nil
      points.each{
        before = function()
          m[1] = 0
          waiter = points.waiter("memory", key, memory, function(own) return own:wait(1, 0, PATIENCE) end)
        end,
        open = memory, act = act,
        after = function(survived)
          assert.is_true(m[1] == 5 or m[1] == 0 and not survived)
          if m[1] == 0 then m[1] = 6 end
          assert.equal(m[1], points.result(waiter))
          segment.check("memory", key)
          waiter:close()
        end,
      }
    end)
  end

  it("has made or removed memory, or not", function()
    points.each{
      open = function() end, act = memory,
      after = function()
        local m = memory()
        assert.same({0, 4}, {m[3], #m})
        assert.is_true(m:remove())
        assert.is_nil(segment.read("memory", key))
      end,
    }
    local m, waiter
    points.each{
      before = function()
        m = memory()
        waiter = points.waiter("memory", key, memory, function(own) return own:wait(1, 0, PATIENCE) end)
      end,
      open = memory, act = function(own) own:remove() end,
      after = function(survived)
        local bytes = segment.read("memory", key)
        local removed = survived or segment.head(bytes).removed == 1
        if not removed then m[1] = 7 end
        local got, why = points.result(waiter)
        assert.same(removed and {"nil", "removed"} or {7}, {got, why})
        waiter:close()
        local new = memory()
        assert.equal(removed and 0 or 7, new[1])
        new:remove()
      end,
    }
  end)

  it("has made or removed data, or not, and leaves no directory behind", function()
    local function left(pid)
      local pipe <close> = assert(io.popen(("ls -d /dev/shm/ipclua.data.%s /dev/shm/ipclua.tmp.%d.* 2>/dev/null")
        :format(key.name, pid)))
      return pipe:read("a")
    end
    points.each{
      open = function() end, act = data,
      after = function(_, pid)
        local d = data()
        assert.is_true(d:set("x", 1) > 0)
        assert.is_true(d:remove())
        assert.equal("", left(pid))
      end,
    }
    points.each{
      before = function() data():set("x", 1) end,
      open = data, act = function(d) d:remove() end,
      after = function(_, pid)
        local d = data()
        assert.is_true(d:set("x", 1) > 0)
        assert.is_true(d:remove())
        data():remove() -- the next constructor sweeps up
        assert.equal("", left(pid))
      end,
    }
  end)

  it("has changed data, or not, and wakes the waiter for it", function()
    local d = data()
    d:set("x", 0)
    local path = "/dev/shm/ipclua.data." .. key.name .. "/control"
    local function parked()
      local file <close> = assert(io.open(path, "rb"))
      return (("<I4"):unpack(file:read("a"), 53)) ~= 0
    end
    points.each{
      before = function() d:set("x", 0) end,
      open = data, act = function(own) own:set("x", 5) end,
      after = function(survived)
        local value, version = d:get("x")
        assert.is_true(value == 5 or value == 0 and not survived)
        assert.is_true(d:set("x", 6, version) > version)
      end,
    }
    local child <close> = assert(ipc.process(function(channel)
      local own, version = data(), select(2, d:get("x"))
      channel:send(version)
      while true do
        local value
        value, version = own:wait("x", version)
        channel:send(value)
      end
    end))
    child.channel:receive(PATIENCE)
    points.each{
      before = function()
        processes.await(parked, "it does not come to wait")
      end,
      open = data, act = function(own) own:set("x", 5) end,
      after = function(survived)
        local value, version = d:get("x")
        if not survived and value ~= 5 then assert(d:set("x", 5, version)) end
        assert.equal(5, child.channel:receive(PATIENCE))
        d:set("x", 6)
        assert.equal(6, child.channel:receive(PATIENCE))
      end,
    }
  end)
end)
