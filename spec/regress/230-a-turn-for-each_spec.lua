-- SPDX-License-Identifier: MIT
-- A process that gave a lock in shared memory back and took it again at once was always first: a waiter had to be woken
-- for it. Of two processes that held a mutex for 20 ms each time, one had it 299 times and the other once. And each
-- release woke all waiters, however many: 64 of them took 23 times the processor time that System V takes. Now a
-- release calls the first, and the lock is for that one alone if it has waited for a while. A waiter that dies when it
-- is called, is stopped then or waits no more does not keep the others waiting.

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

for noun, open in pairs(nouns) do
  describe("the waiters of a " .. noun .. " in shared memory", function()
    local key, lock
    before_each(function()
      key = shm.key()
      lock = assert(open(key))
      assert(lock:acquire(0))
    end)
    after_each(function()
      lock:close()
      shm.cleanup()
    end)

    -- A child that waits for the lock, and says so when it has it; it gives it back when it is told to.
    local function waiter(timeout)
      local child = assert(ipc.process(function(channel)
        local own = assert(open(key))
        local ok, why = own:acquire(timeout)
        channel:send(ok or why)
        channel:receive()
        if ok then own:release() end
        channel:send("released")
        channel:receive()
        os.exit(true, false)
      end))
      await(function() return segment.waiters(noun, key)[child.pid] == "waiting" and state(child.pid) == "S" end)
      return child
    end

    it("have their turn before the one that has just had it", function()
      local child <close> = waiter()
      ipc.sleep(0.005) -- so it has waited for a while
      lock:release()
      assert.same({nil, "timeout"}, {lock:acquire(0)})
      assert.is_true(child.channel:receive(PATIENCE))
    end)

    -- One that does not get to run for 20 ms, beside others that compute, is passed over, and comes later.
    it("have it in the order they came, over processes", function()
      local IN_ORDER <const>, order = "1 2 3 4 5", nil
      for _ = 1, 10 do
        local children, cases, had = {}, {}, {}
        for i = 1, 5 do
          children[i] = waiter()
          cases[i] = children[i].channel
        end
        ipc.sleep(0.005)
        lock:release()
        while #had < 5 do
          local first, has_it = ipc.select(cases, PATIENCE)
          assert.is_true(has_it)
          for i, channel in ipairs(cases) do
            if i ~= first then assert.is_nil(channel:receive(0)) end
          end
          had[#had + 1] = first
          cases[first]:send("release")
          assert.equal("released", cases[first]:receive(PATIENCE))
        end
        for _, child in ipairs(children) do child:close() end
        assert(lock:acquire(PATIENCE))
        order = table.concat(had, " ")
        if order == IN_ORDER then break end
      end
      assert.equal(IN_ORDER, order)
    end)

    it("pass it on when they are killed, stopped, or wait no more", function()
      for _, signal in ipairs{"KILL", "STOP"} do
        local first <close> = waiter()
        local second <close> = waiter()
        ipc.sleep(0.005)
        first:signal(signal)
        await(function() return ("ZT"):find(state(first.pid) or "Z", 1, true) end)
        lock:release()
        assert.is_true(second.channel:receive(PATIENCE))
        second.channel:send("release")
        assert.equal("released", second.channel:receive(PATIENCE))
        if signal == "STOP" then first:signal("KILL") end
        assert(lock:acquire(PATIENCE))
      end
      local first <close> = waiter(0.2)
      local second <close> = waiter()
      assert.equal("timeout", first.channel:receive(PATIENCE))
      lock:release()
      assert.is_true(second.channel:receive(PATIENCE))
    end)

    it("leave nothing in its table", function()
      local child <close> = waiter(0.2)
      assert.equal("timeout", child.channel:receive(PATIENCE))
      assert.same({}, segment.waiters(noun, key))
    end)

    it("are told that the holder has died, also the second one when the first has died before", function()
      local holder <close> = assert(ipc.process(function(channel)
        local own = assert(open(key))
        channel:send("opened")
        own:acquire()
        channel:send("held")
        channel:receive()
      end))
      assert.equal("opened", holder.channel:receive(PATIENCE))
      lock:release()
      assert.equal("held", holder.channel:receive(PATIENCE))
      local first <close> = waiter()
      local second <close> = waiter()
      first:signal("KILL")
      first:wait(PATIENCE)
      holder:signal("KILL")
      assert.is_true(second.channel:receive(PATIENCE))
    end)

    it("are all woken when it is removed, those for which there is no room too", function()
      local children = {}
      for i = 1, 70 do
        children[i] = assert(ipc.process(function(channel)
          local own = assert(open(key))
          channel:send("opened")
          channel:send{own:acquire()}
        end))
        assert.equal("opened", children[i].channel:receive(PATIENCE))
      end
      await(function()
        local n = 0
        for _ in pairs(segment.waiters(noun, key)) do n = n + 1 end
        return n == 64
      end)
      assert.is_true(lock:remove())
      for _, child in ipairs(children) do
        assert.equal("removed", assert(child.channel:receive(PATIENCE))[2])
        child:close()
      end
    end)
  end)
end
