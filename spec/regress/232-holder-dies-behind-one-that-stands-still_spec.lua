-- SPDX-License-Identifier: MIT
-- Of the processes that wait for a lock in shared memory only the first watched the holders. If that one was stopped,
-- or computed for long in another task, the others slept on when a holder was killed, though its permit was free. Now
-- each watches the holders, and a process that becomes one later, and stays it, tells those that sleep.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"

local await, state = processes.await, processes.state
local PATIENCE <const> = 20
local shm = engines.shm

local nouns = {
  mutex = ipc.mutex,
  semaphore = function(key) return ipc.semaphore(key, 1) end,
}

-- A process has a descriptor for the end of another one.
local function watches(pid, other)
  local found = false
  for path in io.popen(("ls -d /proc/%d/fdinfo/* 2>/dev/null"):format(pid)):lines() do
    local file = io.open(path)
    local text = file and file:read("a") or ""
    if file then file:close() end
    found = found or text:match("\nPid:%s*(%d+)") == tostring(other)
  end
  return found
end

for noun, open in pairs(nouns) do
  describe("a process that waits for a " .. noun .. " behind one that", function()
    local key, children
    before_each(function() key, children = shm.key(), {} end)
    after_each(function()
      for _, child in ipairs(children) do
        child:signal("KILL")
        child:close()
      end
      shm.cleanup()
    end)

    local function await_waiting(child)
      await(function() return segment.waiters(noun, key)[child.pid] == "waiting" and state(child.pid) == "S" end)
    end

    -- A child that has the lock when it can, and says so. It computes in another task when it is told to.
    local function taker(waits)
      local child = assert(ipc.process(function(channel)
        local own = assert(open(key))
        ipc.task(function()
          own:acquire()
          channel:send("has it")
          channel:receive()
        end):detach()
        channel:receive()
        channel:send("computes")
        while true do end
      end))
      children[#children + 1] = child
      if waits then
        await_waiting(child)
      else
        assert.equal("has it", child.channel:receive(PATIENCE))
      end
      return child
    end

    local stands_still = {
      ["is stopped"] = function(child)
        child:signal("STOP")
        await(function() return state(child.pid) == "T" end)
      end,
      ["computes"] = function(child)
        child.channel:send("compute")
        assert.equal("computes", child.channel:receive(PATIENCE))
      end,
    }
    for what, stand_still in pairs(stands_still) do
      it(what .. " is told that the holder has died", function()
        local holder = taker(false)
        local first, second = taker(true), taker(true)
        stand_still(first)
        holder:signal("KILL")
        assert.equal("has it", second.channel:receive(PATIENCE))
      end)

      it(what .. " is told that one has died that has become the holder since", function()
        local before = taker(false)
        local holder, first, second = taker(true), taker(true), taker(true)
        stand_still(first)
        before:signal("KILL")
        local which, said = ipc.select({holder.channel, second.channel}, PATIENCE) -- all hear of it; any may have it
        assert.equal("has it", said)
        if which == 2 then holder, second = second, holder end
        await(function() return watches(second.pid, holder.pid) end)
        await_waiting(second)
        holder:signal("KILL")
        assert.equal("has it", second.channel:receive(PATIENCE))
      end)
    end
  end)
end
