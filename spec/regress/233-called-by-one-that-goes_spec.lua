-- SPDX-License-Identifier: MIT
-- A process that had called another one in shared memory looked after it only in its loop, and at an end with exit().
-- If the called one computed, and its caller's function had returned, computed as well or was killed, then the next one
-- slept on beside a lock that was free, or a message. Now a caller looks while it computes, and whenever it ends; and a
-- process that waits looks when a holder it has seen dies.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local await, sleeps, state = processes.await, processes.sleeps, processes.state
local shm = engines.shm

local function is_listed(noun)
  return function(key, pid)
    return segment.waiters(noun, key)[pid] == "waiting" and state(pid) == "S"
  end
end

local nouns = {
  mutex = {
    open = ipc.mutex,
    take = function(o) return o:acquire() end,
    give = function(o) return o:release() end,
    waits = is_listed("mutex"),
    holds = true,
  },
  semaphore = {
    open = function(key) return ipc.semaphore(key, 1) end,
    take = function(o) return o:acquire() end,
    give = function(o) return o:release() end,
    waits = is_listed("semaphore"),
    holds = true,
  },
  queue = {
    open = ipc.queue,
    take = function(o) return o:receive() end,
    give = function(o) return o:send(1, 1) end,
    waits = function(_, pid)
      local before = sleeps(pid)
      ipc.sleep(0.02)
      return sleeps(pid) == before and state(pid) == "S"
    end,
  },
}

local ends = {
  returns = function() end,
  computes = function() while true do end end,
  ["calls os.exit"] = function() os.exit(true, false) end,
  ["is killed"] = function()
    ipc.signal("KILL"):dispatch(ipc.pid())
    ipc.sleep(waits.PATIENCE)
  end,
}

for noun, it_is in pairs(nouns) do
  describe("a process that waits for a " .. noun, function()
    local key, children
    before_each(function() key, children = shm.key(), {} end)
    after_each(function()
      for _, child in ipairs(children) do
        child:signal("KILL")
        child:close()
      end
      shm.cleanup()
    end)

    local function start(f)
      local child = assert(ipc.process(function(channel) f(assert(it_is.open(key)), channel) end))
      children[#children + 1] = child
      return child
    end

    local function taker()
      local child = start(function(own, channel)
        ipc.task(function()
          it_is.take(own)
          channel:send("has it")
          channel:receive()
        end):detach()
        channel:send("opened")
        channel:receive()
        channel:send("computes")
        while true do end
      end)
      assert.equal("opened", child.channel:receive(waits.PATIENCE))
      await(function() return it_is.waits(key, child.pid) end)
      return child
    end

    for how, go in pairs(ends) do
      it("has it though the first one computes, and what has called that " .. how, function()
        local caller = start(function(own, channel)
          if it_is.holds then own:acquire() end
          channel:send("ready")
          channel:receive()
          it_is.give(own)
          go()
        end)
        assert.equal("ready", caller.channel:receive(waits.PATIENCE))
        local first = taker()
        local second = taker()
        first.channel:send("compute")
        assert.equal("computes", first.channel:receive(waits.PATIENCE))
        caller.channel:send("go")
        assert.equal("has it", second.channel:receive(waits.PATIENCE))
      end)
    end
  end)
end
