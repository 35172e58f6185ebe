-- SPDX-License-Identifier: MIT
-- What every engine's semaphore promises: permits are counted, and given back by whoever has them.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"

local EEXIST = 17
local PATIENCE = contract.PATIENCE
local waiting, collect, holder = contract.waiting, contract.collect, contract.holder

for _, engine in ipairs(engines) do
  describe("a semaphore on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end

    local keyed = engine.private and pending or it -- two handles of one process, or none for a while
    local open, key
    before_each(function() open, key = contract.opener(engine, ipc.semaphore, 2) end)
    after_each(engine.cleanup)

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
        local child <close> = holder(open)
        assert.equal(1, s:value())
        local other <close> = holder(open)
        assert.same({nil, "timeout"}, {s:acquire(0)})
        other.channel:send("release")
        assert.equal("released", other.channel:receive(PATIENCE))
        assert.is_true(s:acquire(0))
        child.channel:close()
        assert.is_true(child:wait(PATIENCE))
        contract.at_last(engine, 1, s.value, s)
      end)

      it("goes up to 32767 permits", function()
        local s <close> = open(32767)
        assert.is_true(s:acquire(0))
        assert.equal(32766, s:value())
      end)

      keyed("refuses another max and names both", function()
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

      keyed("keeps its max when nobody has it open", function()
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

      keyed("of nothing that it does not hold", function()
        local s <close> = open()
        assert.error_matches(function() s:release() end, "semaphore is not held by this handle")
        local other <close> = open()
        other:acquire()
        assert.has_error(function() s:release() end)
        assert.equal(1, s:value())
      end)

      keyed("of all permits of a handle that is closed", function()
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

      keyed("of who waits on a handle that is closed", function()
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

      keyed("of what was granted on it to a task that has not run since", function()
        local other <close> = open(1)
        for _, method in ipairs{"acquire", "hold"} do
          local s = open(1)
          other:acquire()
          local t = ipc.task(function() return s[method](s, PATIENCE) end)
          ipc.yield()
          other:release()
          s:close()
          assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
          assert.equal(1, other:value())
        end
      end)

      keyed("of all permits of a handle that is collected", function()
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
  end)
end
