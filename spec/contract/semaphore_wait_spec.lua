-- SPDX-License-Identifier: MIT
-- What every engine's semaphore promises to waiters: order, time, and no permit is ever lost.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED
local settle, waiting = waits.settle, waits.waiting

contract.each(_ENV, "a semaphore", contract.semaphore, function(engine, open, keyed)
  describe("waits:", function()
    it("gets the permit that another task releases", function()
      local s <close> = open(1)
      s:acquire()
      local t = waiting(function() return s:acquire(PATIENCE) end)
      s:release()
      assert.same({true, true}, {t:join(PATIENCE)})
    end)

    it("gets the permit that another process releases", function()
      local s <close> = open(2)
      s:acquire()
      s:acquire()
      local child <close> = contract.waiter(open, PATIENCE)
      assert.same({nil, "timeout"}, {child.channel:receive(0.01)})
      s:release()
      assert.same({true}, child.channel:receive(PATIENCE))
    end)

    keyed("waits on the main chunk while tasks go on", function()
      local s <close> = open(1)
      local other <close> = open(1)
      other:acquire()
      local t = ipc.task(function()
        settle()
        other:release()
      end)
      assert.is_true(s:acquire(PATIENCE))
      assert.is_true(t:join())
    end)

    keyed("serves the waiters of a process in order, through whatever handle", function()
      local handles = {open(1), open(1)}
      assert(handles[1]:acquire())
      contract.in_order(handles)
      assert.equal(1, handles[1]:value())
      for _, s in ipairs(handles) do s:close() end
    end)

    it("times out, not too early", function()
      local s <close> = open(1)
      s:acquire()
      for _, seconds in ipairs{0.001, 0.03} do
        local start = ipc.now()
        assert.same({nil, "timeout"}, {s:acquire(seconds)})
        assert.is_true(ipc.now() - start >= seconds)
        start = ipc.now()
        local t = ipc.task(function() return s:hold(seconds) end)
        assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
        assert.is_true(ipc.now() - start >= seconds)
      end
      s:release()
      assert.equal(1, s:value())
    end)

    it("raises for a timeout that is none", function()
      local s <close> = open()
      for _, timeout in ipairs{-1, -0.001, 0 / 0, "soon", {}} do
        assert.has_error(function() s:acquire(timeout) end)
        assert.has_error(function() s:hold(timeout) end)
      end
      assert.equal(2, s:value())
    end)

    it("loses no permit to a waiter that is cancelled", function()
      local s <close> = open(1)
      s:acquire()
      local first = waiting(function() return s:acquire() end)
      local second = waiting(function() return s:acquire(PATIENCE) end)
      first:cancel()
      assert.same({false, ipc.cancelled}, {first:join(PATIENCE)})
      s:release()
      assert.same({true, true}, {second:join(PATIENCE)})
      s:release()
      local third = ipc.task(function() return s:acquire() end)
      assert.same({true, true}, {third:join(PATIENCE)}) -- done before it is cancelled: it has it
      third:cancel()
      assert.equal(0, s:value())
      s:release()
    end)

    it("loses no permit to a process that is killed while it waits", function()
      local s <close> = open(1)
      s:acquire()
      local child <close> = assert(ipc.process(function(channel)
        waiting(function() open(1):acquire() end)
        channel:send("waiting")
        channel:receive()
      end))
      assert.equal("waiting", child.channel:receive(PATIENCE))
      assert.same({nil, "timeout"}, {child.channel:receive(0.005)}) -- time for it to sleep in the kernel
      child:signal("KILL")
      child:wait()
      s:release()
      contract.at_last(engine, 1, s.value, s) -- a server that has not heard of the death yet gives it to the dead
    end)

    it("conserves the permits when timeouts and cancellations race with releases", function()
      local MAX <const> = 3
      local s <close> = open(MAX)
      local seed = contract.race(function() return open(MAX) end, function(mine, seen)
        local held <close> = mine:hold(({0, 0.0001, 0.0005, 0.002})[math.random(4)])
        if not held then
          seen.missed = seen.missed + 1
          return
        end
        seen.holders, seen.got = seen.holders + 1, seen.got + 1
        local count = 1
        local function leave() seen.holders, count = seen.holders - count, 0 end
        local _ <close> = setmetatable({}, {__close = leave})
        if seen.holders > MAX then error(seen.holders .. " holders") end
        if math.random(2) == 1 then ipc.yield() else ipc.sleep(math.random() * 0.0005) end
        if math.random(8) == 1 then
          leave() -- others may have it before the release returns
          mine:release() -- the guard has then nothing to do
        end
      end)
      assert.equal(MAX, s:value(), "seed " .. seed)
    end)
  end)

  describe("in a select:", function()
    local sems, opens
    before_each(function()
      sems, opens = {}, {}
      for i = 1, 3 do
        opens[i] = contract.opener(engine, function(key) return ipc.semaphore(key, 1) end)
        sems[i] = opens[i]()
      end
    end)
    after_each(function()
      for _, s in ipairs(sems) do s:close() end
    end)

    local function values()
      local list = {}
      for i, s in ipairs(sems) do list[i] = s:value() end
      return list
    end

    it("takes the first that is free, and no other", function()
      assert.same({1, true}, {ipc.select(sems, PATIENCE)})
      assert.same({0, 1, 1}, values())
      assert.same({2, true}, {ipc.select(sems, 0)})
      assert.same({"last", true}, {ipc.select({last = {sems[3], "acquire"}}, 0)})
      assert.same({nil, "timeout"}, {ipc.select(sems, 0)})
      assert.same({nil, "timeout"}, {ipc.select(sems, 0.002)})
      assert.same({0, 0, 0}, values())
    end)

    it("gives a guard for hold", function()
      do
        local which, guard <close> = ipc.select({{sems[2], "hold"}}, PATIENCE)
        assert.equal(1, which)
        assert.matches("ipc.Guard", tostring(guard))
        assert.same({1, 0, 1}, values())
      end
      assert.same({1, 1, 1}, values())
    end)

    it("takes one permit when all come at once", function()
      for _ = 1, 3 do
        for _, s in ipairs(sems) do assert(s:acquire(0)) end
        local t = waiting(function() return ipc.select(sems, PATIENCE) end)
        for i = 3, 1, -1 do sems[i]:release() end
        local _, which = t:join(PATIENCE)
        assert.equal(2, sems[1]:value() + sems[2]:value() + sems[3]:value())
        assert.equal(0, sems[which]:value())
        sems[which]:release()
      end
    end)

    keyed("takes one permit of a semaphore that is there twice", function()
      local s <close> = open(2)
      local twin <close> = open(2)
      s:acquire()
      s:acquire()
      local t = waiting(function() return ipc.select({s, twin, s}, PATIENCE) end)
      s:release()
      s:release()
      assert.same({true, 1, true}, {t:join(PATIENCE)})
      assert.equal(1, s:value())
      s:acquire()
      t = ipc.task(function() return ipc.select({s, twin, s}, 0.001) end)
      assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
      s:release()
      assert.equal(1, s:value())
    end)

    it("loses nothing when other processes release", function()
      local rounds = SANITIZED and 20 or 150
      local children = {}
      for i = 1, 3 do
        children[i] = assert(ipc.process(function(channel)
          local s = opens[i]()
          for _ = 1, rounds do
            assert(s:acquire(PATIENCE))
            channel:send("held")
            channel:receive()
            s:release()
            channel:send("released")
            channel:receive()
          end
        end))
      end
      for round = 1, rounds do
        for _, child in ipairs(children) do assert.equal("held", child.channel:receive(PATIENCE)) end
        local t = ipc.task(function() return ipc.select(sems, round % 3 == 0 and 0.0001 or PATIENCE) end)
        settle()
        for _, child in ipairs(children) do child.channel:send("release") end
        local ok, which = t:join(PATIENCE)
        assert.is_true(ok, which)
        for _, child in ipairs(children) do assert.equal("released", child.channel:receive(PATIENCE)) end
        if which then
          assert.equal(0, sems[which]:value())
          sems[which]:release()
        end
        for _, child in ipairs(children) do child.channel:send("again") end
      end
      for _, child in ipairs(children) do assert.is_true(child:wait(PATIENCE)) end
      assert.same({1, 1, 1}, values())
    end)
  end)
end)
