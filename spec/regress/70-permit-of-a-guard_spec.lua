-- SPDX-License-Identifier: MIT
-- A function that acquired and released a permit of its own, called while its task had a guard of the same semaphore,
-- released the guard's: the guard had nothing left to give back, and a permit was lost. A permit that was acquired and
-- one that a guard stands for are told apart now, whatever the order, the task, and the kind of lock.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local PATIENCE <const> = 20

for _, engine in ipairs(engines.of(ipc.semaphore)) do
  describe("a permit that was acquired beside a guard, on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end
    after_each(engine.cleanup)

    local function open(max)
      local s = assert(ipc.semaphore(engine.key() or ipc.private, max or 2))
      return s, function(permits) assert.equal(permits, s:value()) end
    end

    it("is what release gives back, in a task and on the main chunk", function()
      local s <close>, free = open()
      local function work()
        local held <close> = assert(s:hold())
        assert(s:acquire(PATIENCE))
        assert.is_true(s:release())
        assert.matches("^ipc.Guard %(.+%)$", tostring(held))
        assert.not_matches("released", tostring(held))
        free(1)
      end
      work()
      free(2)
      assert.is_true((ipc.task(work):join(PATIENCE)))
      free(2)
    end)

    it("is so whichever came first, and whichever goes first", function()
      local s <close>, free = open(4)
      assert(s:acquire(PATIENCE))
      local one, two = assert(s:hold()), assert(s:hold())
      assert(s:acquire(PATIENCE))
      assert.is_true(one:close())
      assert.is_true(s:release())
      assert.is_true(s:release())
      free(3)
      assert.not_matches("released", tostring(two))
      assert.is_true(two:close())
      assert.is_true(two:close())
      free(4)
      assert.error_matches(function() s:release() end, "semaphore .* is not held by this handle")
    end)

    it("is so when the guard's task is another one", function()
      local s <close>, free = open()
      assert(s:acquire(PATIENCE))
      assert.is_true((ipc.task(function()
        local held <close> = assert(s:hold())
        assert.is_true(s:release())
        assert.not_matches("released", tostring(held))
      end):join(PATIENCE)))
      free(2)
      local guard = assert(s:hold())
      local ok, why = ipc.task(function() s:release() end):join(PATIENCE)
      assert.is_false(ok)
      assert.matches("held by guards of other tasks", tostring(why))
      assert.is_true((ipc.task(guard.close, guard):join(PATIENCE)))
      free(2)
    end)

    it("is so when the task is cancelled, or fails", function()
      local s <close>, free = open()
      for _, ending in ipairs{"cancel", "error"} do
        local t = ipc.task(function()
          local _ <close> = assert(s:hold())
          assert(s:acquire(PATIENCE))
          assert.is_true(s:release())
          if ending == "error" then error("the work failed", 0) end
          ipc.sleep(PATIENCE)
        end)
        if ending == "cancel" then
          while t:status() ~= "waiting" or s:value() ~= 1 do ipc.yield() end
          t:cancel()
        end
        t:join(PATIENCE)
        free(2)
      end
    end)

    it("takes that of the task's own guard if there is no other, and the guard then has nothing to give", function()
      local s <close>, free = open()
      do
        local held <close> = assert(s:hold())
        assert.is_true(s:release())
        assert.matches("released", tostring(held))
        free(2)
        assert(s:acquire(PATIENCE))
      end
      free(1)
    end)

    it("is nothing that a forked child could release", function()
      local s <close>, free = open()
      local held <close> = assert(s:hold())
      assert(s:acquire(PATIENCE))
      local child <close> = assert(ipc.process(function(channel)
        held:close()
        channel:send((pcall(s.release, s)))
        s:close()
      end))
      assert.is_false(child.channel:receive(PATIENCE))
      child:wait(PATIENCE)
      free(0)
    end)

    it("is nothing that a mutex has", function()
      local m <close> = assert(ipc.mutex(engine.key() or ipc.private))
      do
        local held <close> = assert(m:hold())
        assert.same({nil, "timeout"}, {m:acquire(0)})
        assert.error_matches(function() m:acquire() end, "held by this task already")
        ipc.task(function() assert.has_error(function() m:release() end) end):join(PATIENCE)
        assert.truthy(m:holder())
        assert.is_true(m:release())
        assert.matches("released", tostring(held))
        assert(m:acquire(PATIENCE))
      end
      assert.truthy(m:holder())
      assert.is_true(m:release())
    end)
  end)
end

describe("a file lock that is shared beside a guard", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("is what release gives back", function()
    local a <close> = assert(ipc.file_lock(path))
    local b <close> = assert(ipc.file_lock(path))
    do
      local held <close> = assert(a:hold())
      assert.same({nil, "timeout"}, {a:acquire(0, "shared")})
      local ok, why = ipc.task(function() a:release() end):join(PATIENCE)
      assert.is_false(ok)
      assert.matches("held by guards of other tasks", tostring(why))
      assert.same({nil, "timeout"}, {b:try_acquire()})
      assert.not_matches("released", tostring(held))
    end
    assert.is_true(a:acquire(0, "shared"))
    assert.is_true(a:acquire(0, "shared"))
    assert.is_true(a:release())
    assert.same({nil, "timeout"}, {b:try_acquire()})
    assert.is_true(a:release())
    assert.is_true(b:try_acquire())
  end)
end)
