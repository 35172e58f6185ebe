-- SPDX-License-Identifier: MIT
-- What every engine's semaphore promises: permits are counted, waited for in order, and never lost.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local storm = require "spec.support.storm"

local EEXIST = 17
local PATIENCE = 20 -- seconds until a wait that should have ended fails the spec
local SANITIZED = os.getenv("IPC_SANITIZE")

-- Runs every task until it waits.
local function settle()
  for _ = 1, 3 do ipc.yield() end
end

local function collect()
  collectgarbage()
  collectgarbage()
end

local function waiting(fn, ...)
  local t = ipc.task(fn, ...)
  settle()
  assert.equal("waiting", t:status())
  return t
end

for _, engine in ipairs(engines) do
  describe("a semaphore on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end

    local key, open
    before_each(function()
      key = engine.key()
      function open(max) return assert(ipc.semaphore(key, max or 2)) end
    end)
    after_each(engine.cleanup)

    -- A child that acquires so often, says "held", and then obeys: release, or end.
    local function holder(times)
      local child = assert(ipc.process(function(channel)
        local s = open()
        for _ = 1, times or 1 do assert(s:acquire(PATIENCE)) end
        channel:send("held")
        for _ in channel:messages() do
          assert(s:release())
          channel:send("released")
        end
      end))
      assert.equal("held", child.channel:receive(PATIENCE))
      return child
    end

    describe("counts:", function()
      it("gives out as many permits as it has", function()
        local s <close> = open()
        assert.equal(2, s:value())
        assert.is_true(s:acquire())
        assert.equal(1, s:value())
        assert.is_true(s:try_acquire())
        assert.equal(0, s:value())
        assert.same({nil, "timeout"}, {s:acquire(0)})
        assert.same({nil, "timeout"}, {s:try_acquire()})
        assert.is_true(s:release())
        assert.is_true(s:acquire(0))
        assert.is_true(s:release())
        assert.is_true(s:release())
        assert.equal(2, s:value())
      end)

      it("takes two tasks of one process for two holders", function()
        local s <close> = open()
        local function hold()
          local held <close> = s:hold(0)
          if not held then return "no" end
          ipc.sleep(100)
        end
        local a, b, c = ipc.task(hold), ipc.task(hold), ipc.task(hold)
        assert.same({true, "no"}, {c:join(PATIENCE)})
        assert.equal(0, s:value())
        a:close()
        assert.equal(1, s:value())
        b:close()
        assert.equal(2, s:value())
      end)

      it("counts the holders of all processes", function()
        local s <close> = open()
        local child <close> = holder()
        assert.equal(1, s:value())
        local other <close> = holder()
        assert.same({nil, "timeout"}, {s:acquire(0)})
        other.channel:send("release")
        assert.equal("released", other.channel:receive(PATIENCE))
        assert.is_true(s:acquire(0))
        child.channel:close()
        assert.is_true(child:wait(PATIENCE))
        assert.equal(1, s:value())
      end)

      it("goes up to 32767 permits", function()
        local s <close> = open(32767)
        assert.is_true(s:acquire(0))
        assert.equal(32766, s:value())
      end)

      it("refuses another max and names both", function()
        local s <close> = open(2)
        local other, message, code = ipc.semaphore(key, 3)
        assert.is_nil(other)
        assert.matches("max of 2, not 3", message)
        assert.equal(EEXIST, code)
        local child <close> = assert(ipc.process(function(channel)
          channel:send(select(3, ipc.semaphore(key, 1)))
        end))
        assert.equal(EEXIST, child.channel:receive(PATIENCE))
        assert.equal(2, s:value())
      end)

      it("keeps its max when nobody has it open", function()
        open(2):close()
        local _, message, code = ipc.semaphore(key, 3)
        assert.equal(EEXIST, code, message)
        assert.equal(2, open(2):value())
      end)

      it("raises for a max out of range", function()
        for _, max in ipairs{0, -1, 32768, 1.5, math.maxinteger, "many", {}} do
          assert.has_error(function() ipc.semaphore(key, max) end)
        end
        assert.error_matches(function() ipc.semaphore(key, 0) end, "max must be from 1 to 32767, got 0")
        assert.has_error(function() ipc.semaphore(key) end)
        assert.has_error(function() ipc.semaphore("key", 2) end)
      end)

      it("takes permissions as chmod writes them", function()
        for _, mode in ipairs{660, "0660", "600", 0600} do
          local s = assert(ipc.semaphore(key, 1, {mode = mode}))
          s:remove()
          s:close()
        end
        for _, mode in ipairs{"0680", 8, -1, 1777, "rw", "", 0.5, {}, true} do
          assert.error_matches(function() ipc.semaphore(key, 1, {mode = mode}) end, "mode must be permissions")
        end
      end)
    end)

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
        local child <close> = assert(ipc.process(function(channel)
          local t = waiting(function() return open():acquire(PATIENCE) end)
          channel:send("waiting")
          channel:send({t:join()})
        end))
        assert.equal("waiting", child.channel:receive(PATIENCE))
        assert.same({nil, "timeout"}, {child.channel:receive(0.01)})
        s:release()
        assert.same({true, true}, child.channel:receive(PATIENCE))
      end)

      it("waits on the main chunk while tasks go on", function()
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

      it("serves the waiters of a process in order, through whatever handle", function()
        local handles = {open(1), open(1)}
        assert(handles[1]:acquire())
        local order, tasks, expected = {}, {}, {}
        for i = 1, 20 do
          tasks[i] = ipc.task(function()
            local s = handles[i % 2 + 1]
            if not s:acquire(i == 7 and 0.001 or PATIENCE) then return end
            order[#order + 1] = i
            if i % 3 == 0 then settle() end
            s:release()
          end)
          if i ~= 7 and i ~= 13 then expected[#expected + 1] = i end
        end
        settle()
        tasks[7]:join(PATIENCE) -- one gives up, another is cancelled
        tasks[13]:close()
        handles[1]:release()
        for i = 1, 20 do tasks[i]:join(PATIENCE) end
        assert.same(expected, order)
        assert.equal(1, handles[1]:value())
        for _, s in ipairs(handles) do s:close() end
      end)

      it("times out, not too early", function()
        local s <close> = open(1)
        local other <close> = open(1)
        other:acquire()
        for _, seconds in ipairs{0.001, 0.03} do
          local start = ipc.now()
          assert.same({nil, "timeout"}, {s:acquire(seconds)})
          assert.is_true(ipc.now() - start >= seconds)
          start = ipc.now()
          local t = ipc.task(function() return s:hold(seconds) end)
          assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
          assert.is_true(ipc.now() - start >= seconds)
        end
        other:release()
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
        assert.same({false, "cancelled"}, {first:join(PATIENCE)})
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
        assert.equal(1, s:value())
      end)

      it("conserves the permits when timeouts and cancellations race with releases", function()
        local MAX, TASKS, ROUNDS = 3, 12, SANITIZED and 30 or 150
        local seed = os.time()
        local function race(channel)
          local s = open(MAX)
          local holders, got, missed, cancelled = 0, 0, 0, 0
          local leave <const> = {__close = function() holders = holders - 1 end}
          local function use()
            local held <close> = s:hold(({0, 0.0001, 0.0005, 0.002})[math.random(4)])
            if not held then missed = missed + 1 return end
            holders, got = holders + 1, got + 1
            local _ <close> = setmetatable({}, leave)
            if holders > MAX then error(holders .. " holders") end
            if math.random(2) == 1 then ipc.yield() else ipc.sleep(math.random() * 0.0005) end
            if math.random(8) == 1 then s:release() end -- the guard has then nothing to do
          end
          local function client()
            for _ = 1, ROUNDS do
              local t = ipc.task(use)
              if math.random(3) == 1 then
                ipc.sleep(math.random() * 0.0005)
                t:cancel()
              end
              local ok, why = t:join(PATIENCE)
              if not ok then
                if why ~= "cancelled" then error(why) end
                cancelled = cancelled + 1
              end
            end
          end
          ipc.scope(function(scope)
            for _ = 1, TASKS do scope:task(client) end
          end)
          channel:send{holders = holders, got = got, missed = missed, cancelled = cancelled}
        end
        local s <close> = open(MAX)
        local children = {}
        for i = 1, 2 do
          children[i] = assert(ipc.process(function(channel)
            math.randomseed(seed, i)
            race(channel)
          end))
        end
        for _, child in ipairs(children) do
          local result = assert(child.channel:receive(60), "seed " .. seed)
          assert.is_true(child:wait(PATIENCE))
          assert.equal(0, result.holders, "seed " .. seed)
          assert.is_true(result.got > 0 and result.missed > 0 and result.cancelled > 0)
        end
        assert.equal(MAX, s:value(), "seed " .. seed)
      end)
    end)

    describe("in a select:", function()
      local sems, keys
      before_each(function()
        sems, keys = {}, {}
        for i = 1, 3 do
          keys[i] = engine.key()
          sems[i] = assert(ipc.semaphore(keys[i], 1))
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

      it("takes one permit of a semaphore that is there twice", function()
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
        t = waiting(function() return ipc.select({s, twin, s}, 0.001) end)
        assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
        s:release()
        assert.equal(1, s:value())
      end)

      it("loses nothing when other processes release", function()
        local rounds = SANITIZED and 20 or 150
        local children = {}
        for i = 1, 3 do
          children[i] = assert(ipc.process(function(channel)
            local s = assert(ipc.semaphore(keys[i], 1))
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

    describe("lets go:", function()
      it("of a guard at the end of its block", function()
        local s <close> = open()
        local guard
        do
          local held <close> = assert(s:hold())
          guard = held
          assert.equal(1, s:value())
          assert.matches("^ipc.Guard %(.+%)$", tostring(held))
        end
        assert.equal(2, s:value())
        assert.matches("released", tostring(guard))
        s:acquire()
        guard:close()
        assert.equal(1, s:value())
      end)

      it("of a guard when an error passes", function()
        local s <close> = open()
        assert.error_matches(function()
          local _ <close> = s:hold()
          error("the work failed")
        end, "the work failed")
        assert.equal(2, s:value())
      end)

      it("of a guard once, whoever releases first", function()
        local s <close> = open()
        do
          local _ <close> = s:hold()
          assert.is_true(s:release())
          assert.equal(2, s:value())
          s:acquire()
        end
        assert.equal(1, s:value())
        local guard = s:hold(0)
        guard:close()
        guard:close()
        assert.equal(1, s:value())
      end)

      it("of a guard that is collected", function()
        local s <close> = open()
        s:hold()
        collect()
        assert.equal(2, s:value())
      end)

      it("of nothing that it does not hold", function()
        local s <close> = open()
        assert.error_matches(function() s:release() end, "semaphore is not held by this handle")
        local other <close> = open()
        other:acquire()
        assert.has_error(function() s:release() end)
        assert.equal(1, s:value())
      end)

      it("of all permits of a handle that is closed", function()
        local s, other <close> = open(), open()
        s:acquire()
        s:acquire()
        s:close()
        assert.equal(2, other:value())
        s:close()
        assert.error_matches(function() s:acquire(0) end, "semaphore is closed")
        assert.error_matches(function() s:release() end, "semaphore is closed")
        assert.error_matches(function() s:value() end, "semaphore is closed")
        assert.error_matches(function() s:remove() end, "semaphore is closed")
      end)

      it("of who waits on a handle that is closed", function()
        local s, other <close> = open(1), open(1)
        other:acquire()
        local t = waiting(function() return s:acquire(PATIENCE) end)
        local u = waiting(function() return other:acquire(PATIENCE) end)
        local v = waiting(function() return s:hold(PATIENCE) end)
        s:close()
        assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
        assert.same({true, nil, "closed"}, {v:join(PATIENCE)})
        other:release()
        assert.same({true, true}, {u:join(PATIENCE)})
      end)

      it("of all permits of a handle that is collected", function()
        local other <close> = open()
        open():acquire()
        assert.equal(1, other:value())
        collect()
        assert.equal(2, other:value())
      end)

      it("of what a task holds that fails or is cancelled", function()
        local s <close> = open()
        local t = ipc.task(function()
          s:acquire()
          s:acquire()
          error("the work failed")
        end)
        assert.is_false((t:join(PATIENCE)))
        assert.equal(2, s:value())
        t = waiting(function()
          s:acquire()
          ipc.sleep(100)
        end)
        assert.equal(1, s:value())
        t:close()
        assert.equal(2, s:value())
      end)

      it("of what a failing task holds to who waits", function()
        local s <close> = open(1)
        local t = ipc.task(function()
          s:acquire()
          ipc.yield()
          error("the work failed")
        end)
        local u = ipc.task(function() return s:acquire(PATIENCE) end)
        assert.is_false((t:join(PATIENCE)))
        assert.same({true, true}, {u:join(PATIENCE)})
      end)

      it("of nothing when a task ends well", function()
        local s <close> = open()
        assert.is_true(ipc.task(function() s:acquire() end):join(PATIENCE))
        assert.equal(1, s:value())
        assert.is_true(ipc.task(function() return s:release() end):join(PATIENCE))
        assert.equal(2, s:value())
      end)

      it("of what a process holds that ends or is killed", function()
        local s <close> = open()
        local child = holder(2)
        local t = waiting(function() return s:acquire(PATIENCE) end)
        child:signal("KILL")
        assert.same({true, true}, {t:join(PATIENCE)})
        child:wait()
        assert.equal(1, s:value())
        local ends = assert(ipc.process(function() open():acquire() end))
        assert.is_true(ends:wait(PATIENCE))
        assert.equal(1, s:value())
        ends = assert(ipc.process(function()
          open():acquire()
          os.exit(3)
        end))
        assert.same({nil, "exit", 3}, {ends:wait(PATIENCE)})
        assert.equal(1, s:value())
      end)
    end)

    describe("removed,", function()
      it("wakes who waits, in this and in other processes", function()
        local s <close> = open()
        s:acquire()
        s:acquire()
        local other <close> = open()
        local child <close> = assert(ipc.process(function(channel)
          local mine = open()
          local t = waiting(function() return mine:acquire(PATIENCE) end)
          channel:send("waiting")
          local _, ok, why = t:join()
          channel:send{ok or "nil", why}
        end))
        assert.equal("waiting", child.channel:receive(PATIENCE))
        local t = waiting(function() return s:acquire(PATIENCE) end)
        local u = waiting(function() return ipc.select({other}, PATIENCE) end)
        assert.is_true(s:remove())
        assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
        assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
        assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
        assert.is_true(child:wait(PATIENCE))
      end)

      it("stays removed for those who have it open", function()
        local s <close> = open()
        local guard = s:hold()
        s:acquire()
        s:remove()
        assert.same({nil, "removed"}, {s:acquire()})
        assert.same({nil, "removed"}, {s:try_acquire()})
        assert.same({nil, "removed"}, {s:hold(1)})
        assert.same({nil, "removed"}, {s:value()})
        assert.same({nil, "removed"}, {s:release()})
        assert.same({nil, "removed"}, {s:remove()})
        guard:close()
      end)

      it("makes room for a new one", function()
        local s <close> = open()
        s:acquire()
        s:remove()
        local new <close> = open(5)
        assert.equal(5, new:value())
        new:acquire()
        assert.same({nil, "removed"}, {s:value()})
        s:close()
        assert.equal(4, new:value())
      end)
    end)

    describe("in a forked child", function()
      it("holds nothing of its parent's, and gives back nothing", function()
        local s <close> = open()
        local guard <close> = assert(s:hold())
        local child = assert(ipc.process(function(channel)
          local text = tostring(s)
          local may_release = pcall(s.release, s)
          guard:close()
          channel:send{text = text, may_release = may_release, value = s:value()}
          s:close()
          collect()
        end))
        local seen = child.channel:receive(PATIENCE)
        assert.matches("not held", seen.text)
        assert.is_false(seen.may_release)
        assert.equal(1, seen.value)
        assert.is_true(child:wait(PATIENCE))
        assert.equal(1, s:value())
        child = assert(ipc.process(collect))
        assert.is_true(child:wait(PATIENCE))
        child = assert(ipc.process(function() os.exit(0, true) end))
        assert.is_true(child:wait(PATIENCE))
        assert.equal(1, s:value())
      end)

      it("can be used through the inherited handle", function()
        local s <close> = open()
        s:acquire()
        local child = assert(ipc.process(function(channel)
          channel:send{s:acquire(0), s:acquire(0) == nil, tostring(s)}
          channel:receive()
          channel:send{s:release()}
          channel:receive()
          channel:send{s:acquire(PATIENCE)}
          channel:receive()
        end))
        local seen = child.channel:receive(PATIENCE)
        assert.same({true, true}, {seen[1], seen[2]})
        assert.matches("held", seen[3])
        assert.equal(0, s:value())
        local t = waiting(function() return s:acquire(PATIENCE) end)
        child.channel:send("release")
        assert.same({true, true}, {t:join(PATIENCE)})
        assert.same({true}, child.channel:receive(PATIENCE))
        child.channel:send("acquire")
        s:release()
        assert.same({true}, child.channel:receive(PATIENCE))
        assert.equal(0, s:value())
        child:signal("KILL")
        child:wait()
        assert.equal(1, s:value())
      end)

      it("knows nothing of its parent's waits", function()
        local s <close> = open(1)
        s:acquire()
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = waiting(function()
            local ok = s:acquire(PATIENCE)
            s:release()
            return ok
          end)
        end
        ipc.sleep(0.001) -- so that the loop has blocked, and something waits in its place
        local child = assert(ipc.process(function(channel)
          channel:send{s:acquire(0) == nil, #ipc.tasks()}
          channel:send{s:acquire(PATIENCE)}
          s:release()
          channel:receive()
        end))
        assert.same({true, 0}, child.channel:receive(PATIENCE))
        s:release()
        for _, t in ipairs(tasks) do assert.same({true, true}, {t:join(PATIENCE)}) end
        assert.same({true}, child.channel:receive(PATIENCE))
        child.channel:close()
        assert.is_true(child:wait(PATIENCE))
        assert.equal(1, s:value())
      end)
    end)

    it("shows its state", function()
      local s = open()
      assert.matches("^ipc.Semaphore %(.*not held%)$", tostring(s))
      s:acquire()
      assert.matches("^ipc.Semaphore %(.*[ ,]held%)$", tostring(s))
      s:acquire()
      assert.matches("^ipc.Semaphore %(.*held 2 times%)$", tostring(s))
      s:close()
      assert.matches("^ipc.Semaphore %(.*closed%)$", tostring(s))
    end)

    it("never has more holders than permits, whoever is killed", function()
      local s <close> = open(3)
      local seen = storm(SANITIZED and 60 or 700, 3, function()
        return math.random(2) == 1 and s or open(3)
      end)
      assert.equal(3, seen.most)
      assert.is_true(seen.hit > 0 and seen.perhaps > 0)
      assert.equal(3, s:value())
    end)

    it("survives that all of its users are killed", function()
      open(3):close()
      local seen = storm(SANITIZED and 20 or 300, 3, function() return open(3) end)
      assert.equal(3, seen.most)
      assert.equal(3, open(3):value())
    end)
  end)
end
