-- SPDX-License-Identifier: MIT
-- A wait behind one that could not be served was looked at when something changed. When the first one left, by a
-- timeout, a cancellation, another case of its select, or because its handle was closed, nothing had changed: a small
-- message waited for ever behind a large one that was not sent any more, and a shared lock behind an exclusive one.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

-- How the first in line leaves: each is given the object, and a method with its arguments; returns the task and a
-- function that makes it leave.
local ways = {}

ways["by a timeout"] = function(object, method, ...)
  local arguments = table.pack(...)
  arguments[arguments.n + 1] = 0.05
  local task = ipc.task(function() object[method](object, table.unpack(arguments, 1, arguments.n + 1)) end)
  return task, function() end
end

ways["by a cancellation"] = function(object, method, ...)
  local task = ipc.task(object[method], object, ...)
  return task, function() task:cancel() end
end

ways["by another case of its select"] = function(object, method, ...)
  local a, b = ipc.stream_channel_pair()
  local task = ipc.task(ipc.select, {{object, method, ...}, b})
  return task, function() assert(a:send("now")) end
end

ways["when its handle is closed"] = function(object, method, ...)
  local task = ipc.task(object[method], object, ...)
  return task, function() object:close() end
end

-- `behind` waits once the first one does, and is served when that has left.
local function check(way, behind, object, ...)
  local first, leave = way(object, ...)
  waits.settle()
  local second = ipc.task(behind)
  waits.settle()
  leave()
  assert.is_true(second:join(PATIENCE))
  first:join(PATIENCE)
end

for _, engine in ipairs(engines.of(ipc.queue)) do
  describe("a small message behind a large one, on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end
    after_each(engine.cleanup)

    for name, way in pairs(ways) do
      if not (engine.private and name:find("closed")) then
        it("is sent when that one leaves " .. name, function()
          local key = engine.key()
          local function open() return assert(ipc.queue(key, {capacity = 4096, codec = "raw"})) end
          local q <close> = open()
          local other <close> = engine.private and q or open()
          assert(q:send(1, ("x"):rep(3000), PATIENCE))
          check(way, function() assert(q:send(1, "small", PATIENCE)) end, other, "send", 1, ("y"):rep(2000))
          assert.equal(3000, #q:receive(0, PATIENCE))
          assert.equal("small", q:receive(0, PATIENCE))
          q:remove()
        end)
      end
    end
  end)
end

describe("a shared file lock behind an exclusive one", function()
  for name, way in pairs(ways) do
    if not name:find("closed") then -- both wait at the same handle
      it("is had when that one leaves " .. name, function()
        local path = os.tmpname()
        finally(function() os.remove(path) end)
        local lock <close> = assert(ipc.file_lock(path))
        assert(lock:acquire(PATIENCE, "shared"))
        check(way, function() assert(lock:acquire(PATIENCE, "shared")) end, lock, "acquire")
      end)
    end
  end
end)
