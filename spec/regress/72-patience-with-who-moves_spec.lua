-- SPDX-License-Identifier: MIT
-- Processes that sent each other large messages through shared memory on a busy machine were told that one of them
-- stood still, though none did: each had waited five seconds for the lock of the queue, in which it had passed from one
-- to the next a hundred times. And the five seconds stopped the whole program of the waiter: its timers, its tasks,
-- its timeouts. Patience begins anew now whenever the lock's owner moves (spec/c/patience_test.c), and a wait for it is
-- a wait like others.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local PATIENCE <const> = 20
local shm = engines.shm

describe("a process that stands still with the lock of shared memory", function()
  after_each(shm.cleanup)

  -- The lock of a new object belongs to a process that lives and does nothing, until go_on() is called.
  local function stuck(noun, open)
    local key = shm.key()
    local object = assert(open(key))
    local child = assert(ipc.process(function(channel) channel:receive() end))
    local file = assert(io.open(segment.path(noun, key), "r+b"))
    file:setvbuf("no")
    local function write(owner)
      file:seek("set", 12)
      file:write(("<I4"):pack(owner))
    end
    write(child.pid)
    finally(function()
      child:close()
      file:close()
    end)
    return object, function() write(0) end
  end

  -- What it waits for, how it comes, and what that is.
  local subjects = {
    mutex = {ipc.mutex, function(m, s) return m:acquire(s) end, function() end, {true}},
    semaphore = {
      function(key) return ipc.semaphore(key, 2) end, function(s, seconds) return s:acquire(seconds) end,
      function() end, {true},
    },
    queue = {
      function(key) return ipc.queue(key, {codec = "raw"}) end, function(q, s) return q:receive(0, s) end,
      function(q) q:send(3, "it") end, {"it", 3},
    },
    memory = {
      function(key) return ipc.shared_memory(key, 8) end, function(m, s) return m:wait(5, 0, s) end,
      function(m) m[5] = 9 end, {9},
    },
  }

  for noun, subject in pairs(subjects) do
    local open, wait, change, result = table.unpack(subject)

    it("leaves timeouts and other tasks alone: " .. noun, function()
      local object <close> = stuck(noun, open)
      local ticks = 0
      local _ <close> = ipc.timer(0.001, function() ticks = ticks + 1 end)
      assert.same({nil, "timeout"}, {wait(object, 0.1)})
      assert.is_true(ticks > 0)
      local waiter = ipc.task(function() return wait(object) end)
      repeat ipc.yield() until waiter:status() == "waiting"
      waiter:cancel()
      assert.is_false((waiter:join(PATIENCE)))
    end)

    it("is waited for by the waiters: " .. noun, function()
      local object <close>, go_on = stuck(noun, open)
      local waiter = ipc.task(function() return wait(object, PATIENCE) end)
      ipc.sleep(0.03)
      assert.equal("waiting", waiter:status())
      go_on()
      change(object)
      assert.same({true, table.unpack(result)}, {waiter:join(PATIENCE)})
    end)
  end
end)
