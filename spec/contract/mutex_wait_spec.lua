-- SPDX-License-Identifier: MIT
-- What every engine's mutex promises to waiters: order, time, and it is neither lost nor held twice.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local settle, waiting, holder = waits.settle, waits.waiting, contract.holder

contract.each(_ENV, "a mutex", ipc.mutex, function(engine, open, keyed)
  local function free(m)
    local ok, how = m:try_acquire()
    if ok then m:release() end
    return ok and not how
  end

  describe("is handed on", function()
    it("to another task", function()
      local m <close> = open()
      m:acquire()
      local t = waiting(function()
        local got = {m:acquire(PATIENCE)}
        m:release()
        return got
      end)
      m:release()
      assert.same({true, {true}}, {t:join(PATIENCE)})
      assert.is_true(free(m))
    end)

    it("to another process", function()
      local m <close> = open()
      m:acquire()
      local child <close> = contract.waiter(open, PATIENCE)
      assert.same({nil, "timeout"}, {child.channel:receive(0.01)})
      m:release()
      assert.same({true}, child.channel:receive(PATIENCE))
    end)

    it("to the main chunk while tasks go on", function()
      local m <close> = open()
      local t = waiting(function()
        local _ <close> = m:hold()
        ipc.sleep(0.001)
      end)
      assert.same({true}, {m:acquire(PATIENCE)})
      assert.is_true(t:join())
    end)

    it("to the waiter, not to the task that has just released it", function()
      local m <close> = open()
      m:acquire()
      local t = waiting(function()
        local ok = m:acquire(PATIENCE)
        settle()
        m:release()
        return ok
      end)
      m:release()
      assert.same({nil, "timeout"}, {m:try_acquire()})
      assert.same({true}, {m:acquire(PATIENCE)})
      assert.same({true, true}, {t:join(engine.lease and PATIENCE or 0)}) -- a release may wait for an answer
    end)

    it("to the waiter, not to a task that tries before the loop has looked", function()
      local m <close> = open()
      local child <close> = holder(open)
      local tried <close> = ipc.semaphore(ipc.private, 1)
      tried:acquire()
      local t = ipc.task(function()
        local ok, how = m:acquire(PATIENCE)
        assert(tried:acquire(PATIENCE)) -- where to ask for the holder is to wait, it may have it before the try
        return ok, how
      end)
      ipc.yield()
      child.channel:send("release")
      local deadline = ipc.now() + PATIENCE
      while m:holder() == child.pid do assert.is_true(ipc.now() < deadline) end -- to wait would be to look
      assert.same({nil, "timeout"}, {m:try_acquire()})
      tried:release()
      assert.same({true, true}, {t:join(PATIENCE)})
    end)

    local function in_order(handles)
      assert(handles[1]:acquire())
      contract.in_order(handles)
      assert.is_true(free(handles[1]))
    end

    it("in the order in which tasks came", function()
      local m <close> = open()
      in_order{m}
    end)

    keyed("in the order in which tasks came, through whatever handle", function()
      local m <close> = open()
      local other <close> = open()
      in_order{m, other}
    end)
  end)

  describe("waits", function()
    it("until a timeout, not less", function()
      local m <close> = open()
      local child <close> = holder(open)
      for _, seconds in ipairs{0.001, 0.03} do
        local start = ipc.now()
        assert.same({nil, "timeout"}, {m:acquire(seconds)})
        assert.is_true(ipc.now() - start >= seconds)
        start = ipc.now()
        local t = ipc.task(function() return m:hold(seconds) end)
        assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
        assert.is_true(ipc.now() - start >= seconds)
      end
      child.channel:send("release")
      assert.equal("released", child.channel:receive(PATIENCE))
      assert.is_true(free(m))
    end)

    it("for no timeout that is none", function()
      local m <close> = open()
      for _, timeout in ipairs{-1, -0.001, 0 / 0, "soon", {}} do
        assert.has_error(function() m:acquire(timeout) end)
        assert.has_error(function() m:hold(timeout) end)
      end
      assert.is_true(free(m))
    end)

    it("until cancelled, and it goes to the next", function()
      local m <close> = open()
      m:acquire()
      local first = waiting(function() return m:acquire() end)
      local second = waiting(function()
        local got = {m:acquire(PATIENCE)}
        m:release()
        return got
      end)
      first:cancel()
      assert.same({false, ipc.cancelled}, {first:join(PATIENCE)})
      m:release()
      assert.same({true, {true}}, {second:join(PATIENCE)})
      assert.is_true(free(m))
    end)

    it("until its process is killed, and that is told to none", function()
      local m <close> = open()
      m:acquire()
      local child <close> = contract.waiter(open)
      assert.same({nil, "timeout"}, {child.channel:receive(0.005)}) -- time for it to sleep in the kernel
      child:signal("KILL")
      child:wait()
      m:release()
      contract.at_last(engine, true, free, m) -- a server that has just started may take it for one that comes back
    end)

    it("and is never held twice when timeouts and cancellations race with releases", function()
      local far = engine.remote and 20 or 1 -- an answer takes its time
      local m <close> = open()
      local seed = contract.race(open, function(mine, seen)
        local held <close>, how = mine:hold(({0, 0.0001, 0.0005, 0.002})[math.random(4)] * far)
        if not held then
          seen.missed = seen.missed + 1
          return
        end
        seen.holders, seen.got = seen.holders + 1, seen.got + 1
        local _ <close> = setmetatable({}, {__close = function() seen.holders = seen.holders - 1 end})
        if seen.holders > 1 or how then error(how or "two holders") end
        if math.random(2) == 1 then ipc.yield() else ipc.sleep(math.random() * 0.0005) end
      end)
      assert.is_true(free(m), "seed " .. seed)
    end)
  end)

  describe("in a select", function()
    local mutexes
    before_each(function()
      mutexes = {}
      for i = 1, 3 do mutexes[i] = assert(ipc.mutex(engine.key())) end
    end)
    after_each(function()
      for _, m in ipairs(mutexes) do m:close() end
    end)

    local function held()
      local list = {}
      for i, m in ipairs(mutexes) do list[i] = m:holder() ~= nil end
      return list
    end

    it("is the first that is free, and no other", function()
      assert.same({1, true}, {ipc.select(mutexes, PATIENCE)})
      assert.same({true, false, false}, held())
      assert.same({2, true}, {ipc.select(mutexes, 0)})
      assert.same({"last", true}, {ipc.select({last = {mutexes[3], "acquire"}}, 0)})
      assert.same({nil, "timeout"}, {ipc.select(mutexes, 0)})
      assert.same({nil, "timeout"}, {ipc.select(mutexes, 0.002)})
    end)

    it("gives a guard for hold", function()
      do
        local which, guard <close>, how = ipc.select({{mutexes[2], "hold"}}, PATIENCE)
        assert.equal(1, which)
        assert.is_nil(how)
        assert.matches("ipc.Guard", tostring(guard))
        assert.same({false, true, false}, held())
      end
      assert.same({false, false, false}, held())
    end)

    it("is one when all are released at once", function()
      for _ = 1, 3 do
        local all = false
        for _, m in ipairs(mutexes) do assert(m:acquire(0)) end
        local t = waiting(function()
          local which, ok, how = ipc.select(mutexes, PATIENCE)
          while not all do ipc.sleep(0.001) end -- a release may wait, too
          local seen = held()
          mutexes[which]:release()
          return which, ok, how, seen
        end)
        for i = 3, 1, -1 do mutexes[i]:release() end
        all = true
        local joined, which, ok, how, seen = t:join(PATIENCE)
        assert.same({true, true}, {joined, ok, how})
        assert.same({which == 1, which == 2, which == 3}, seen)
      end
      assert.same({false, false, false}, held())
    end)

    it("leaves it to others when another case wins", function()
      mutexes[1]:acquire()
      local clock = ipc.timer(0.001)
      local t = ipc.task(function() return (ipc.select({mutexes[1], clock}, PATIENCE)) end)
      assert.same({true, 2}, {t:join(PATIENCE)})
      clock:stop()
      mutexes[1]:release()
      assert.is_true(free(mutexes[1]))
    end)
  end)
end)
