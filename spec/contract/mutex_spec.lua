-- SPDX-License-Identifier: MIT
-- What every engine's mutex promises: one holder, a task of some process, known by its pid, which alone may release.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local waiting, collect, holder = waits.waiting, waits.collect, contract.holder
local NOT_HELD = "mutex .* is not held by this task"

contract.each(_ENV, "a mutex", ipc.mutex, function(engine, open, keyed, key)
  -- What another task gets that tries.
  local function elsewhere(m)
    local _, ok, how = ipc.task(function()
      local ok, how = m:try_acquire()
      if ok then m:release() end
      return ok, how
    end):join(PATIENCE)
    return ok, how
  end

  local function own_pid()
    local m = assert(ipc.mutex(engine.key()))
    m:acquire()
    local pid = m:holder()
    m:close()
    return pid
  end

  describe("has one holder", function()
    it("at a time", function()
      local m <close> = open()
      assert.same({true}, {m:acquire()})
      assert.same({nil, "timeout"}, {m:try_acquire()})
      assert.same({nil, "timeout"}, {m:acquire(0)})
      assert.same({nil, "timeout"}, {m:hold(0)})
      assert.same({nil, "timeout"}, {elsewhere(m)})
      assert.same({true}, {m:release()})
      assert.same({true}, {elsewhere(m)})
      assert.same({true}, {m:try_acquire()})
      assert.same({true}, {m:release()})
    end)

    it("among all processes", function()
      local m <close> = open()
      local child <close> = holder(open)
      assert.same({nil, "timeout"}, {m:acquire(0)})
      child.channel:send("release")
      assert.equal("released", child.channel:receive(PATIENCE))
      assert.same({true}, {m:acquire(0)})
      assert.same({true}, {m:release()})
    end)

    it("and two tasks of one process are two", function()
      local m <close> = open()
      local t = waiting(function()
        local _ <close> = m:hold()
        ipc.sleep(100)
      end)
      assert.same({nil, "timeout"}, {elsewhere(m)})
      assert.same({nil, "timeout"}, {m:acquire(0.001)})
      t:close()
      assert.same({true}, {elsewhere(m)})
    end)

    it("which alone may release", function()
      local m <close> = open()
      local stop <close> = assert(ipc.semaphore(engine.key(), 1))
      stop:acquire()
      local t = waiting(function()
        m:acquire()
        stop:acquire(PATIENCE)
        return m:release()
      end)
      assert.error_matches(function() m:release() end, NOT_HELD)
      local _, ok, why = ipc.task(function() return pcall(m.release, m) end):join(PATIENCE)
      assert.is_false(ok)
      assert.matches(NOT_HELD, why)
      local child <close> = assert(ipc.process(function(channel)
        channel:send{pcall(m.release, m)}
        channel:send{pcall(m.release, open())}
      end))
      for _ = 1, 2 do
        local said = child.channel:receive(PATIENCE)
        assert.is_false(said[1])
        assert.matches(NOT_HELD, said[2])
      end
      assert.same({nil, "timeout"}, {m:acquire(0)})
      stop:release()
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.error_matches(function() m:release() end, NOT_HELD)
      assert.same({true}, {m:acquire(0)})
    end)

    it("which is the main chunk, if that acquired it", function()
      local m <close> = open()
      m:acquire()
      local _, ok, why = ipc.task(function() return pcall(m.release, m) end):join(PATIENCE)
      assert.is_false(ok)
      assert.matches(NOT_HELD, why)
      assert.same({true}, {m:release()})
      assert.error_matches(function() m:release() end, NOT_HELD)
    end)

    keyed("and the handle counts, too", function()
      local m <close> = open()
      local other <close> = open()
      m:acquire()
      assert.error_matches(function() other:release() end, NOT_HELD)
      assert.same({nil, "timeout"}, {other:acquire(0)})
      assert.same({nil, "timeout"}, {other:acquire(0.001)})
      m:release()
      assert.same({true}, {other:acquire(0)})
    end)

    it("which cannot wait for itself", function()
      local m <close> = open()
      local function again()
        assert(m:acquire())
        for _, method in ipairs{"acquire", "hold"} do
          assert.error_matches(function() m[method](m) end, "mutex .* is held by this task already")
          assert.same({nil, "timeout"}, {m[method](m, 0)})
          assert.same({nil, "timeout"}, {m[method](m, 0.001)})
        end
        assert.same({nil, "timeout"}, {ipc.select({m}, 0.001)})
        return m:release()
      end
      assert.is_true(again())
      assert.same({true, true}, {ipc.task(again):join(PATIENCE)})
    end)
  end)

  describe("knows its holder:", function()
    it("the process id, or nil", function()
      local m <close> = open()
      assert.equal(1, select("#", m:holder()))
      assert.is_nil(m:holder())
      m:acquire()
      assert.equal(own_pid(), m:holder())
      m:release()
      assert.is_nil(m:holder())
      local child <close> = holder(open)
      assert.equal(child.pid, m:holder())
      assert.same({nil, "timeout"}, {m:acquire(0)})
      assert.equal(child.pid, m:holder()) -- an attempt does not make a holder
      local t = waiting(function() return m:acquire(PATIENCE) end)
      assert.equal(child.pid, m:holder())
      child.channel:send("release")
      assert.same({true, true}, {t:join(PATIENCE)})
    end)

    it("in whatever process one asks", function()
      local m <close> = open()
      m:acquire()
      local child <close> = assert(ipc.process(function(channel)
        channel:send{open():holder(), m:holder()}
      end))
      assert.same({m:holder(), m:holder()}, child.channel:receive(PATIENCE))
    end)

    it("when a wait got it", function()
      local m <close> = open()
      local child <close> = holder(open)
      local t = ipc.task(function()
        assert(m:acquire(PATIENCE))
        local pid = m:holder()
        m:release()
        return pid
      end)
      assert.same({nil, "timeout"}, {t:join(0.005)}) -- time for it to sleep in the kernel
      child.channel:send("release")
      assert.same({true, own_pid()}, {t:join(PATIENCE)})
      assert.is_nil(m:holder())
    end)
  end)

  describe("is given back", function()
    it("at the end of a guard's block", function()
      local m <close> = open()
      local guard
      do
        local held <close>, how = m:hold()
        assert.is_nil(how)
        guard = held
        assert.matches("^ipc.Guard %(.+%)$", tostring(held))
        assert.same({nil, "timeout"}, {elsewhere(m)})
      end
      assert.matches("released", tostring(guard))
      m:acquire()
      guard:close()
      assert.same({nil, "timeout"}, {elsewhere(m)})
    end)

    it("when an error passes a guard, and that is told to none", function()
      local m <close> = open()
      local function fail()
        local _ <close> = m:hold()
        error("the work failed")
      end
      assert.error_matches(fail, "the work failed")
      assert.same({true}, {elsewhere(m)})
      local t = ipc.task(fail)
      assert.is_false((t:join(PATIENCE)))
      assert.same({true}, {elsewhere(m)})
      t = waiting(function()
        local _ <close> = m:hold()
        ipc.sleep(100)
      end)
      t:close()
      assert.same({true}, {elsewhere(m)})
    end)

    it("once by a guard, whichever releases first", function()
      local m <close> = open()
      do
        local _ <close> = m:hold()
        assert.is_true(m:release())
        m:acquire()
      end
      assert.same({nil, "timeout"}, {elsewhere(m)})
      m:release()
      local guard = m:hold(0)
      guard:close()
      guard:close()
      assert.same({true}, {m:acquire(0)})
    end)

    it("when a guard is collected", function()
      local m <close> = open()
      m:hold()
      collect()
      assert.same({true}, {elsewhere(m)})
    end)

    keyed("when the handle is closed, or collected", function()
      local m, other <close> = open(), open()
      m:acquire()
      m:close()
      assert.same({true}, {other:acquire(0)})
      other:release()
      m:close()
      for _, method in ipairs{"acquire", "try_acquire", "hold", "release", "holder", "remove"} do
        assert.error_matches(function() m[method](m) end, "mutex .* is closed")
      end
      open():acquire()
      assert.same({nil, "timeout"}, {other:acquire(0)})
      collect()
      assert.same({true}, {other:acquire(0)})
    end)
  end)

  it("takes permissions as chmod writes them", function()
    for _, mode in ipairs{660, "0660", "600"} do
      local m = assert(ipc.mutex(key(), {mode = mode}))
      m:remove()
      m:close()
    end
    for _, mode in ipairs{"0680", 8, -1, "rw", 0.5, {}} do
      assert.error_matches(function() ipc.mutex(key(), {mode = mode}) end, "mode must be permissions")
    end
    for _, wrong in ipairs{1, "key", {}, io.stdout} do
      assert.has_error(function() ipc.mutex(wrong) end)
    end
  end)

  it("shows its state", function()
    local m = open()
    assert.matches("^ipc.Mutex %(.*not held%)$", tostring(m))
    m:acquire()
    assert.matches("^ipc.Mutex %(.*[ ,]held%)$", tostring(m))
    m:close()
    assert.matches("^ipc.Mutex %(.*closed%)$", tostring(m))
  end)
end)
