-- SPDX-License-Identifier: MIT
-- What every engine's semaphore promises when processes die, when it is removed, and to a forked child.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local storm = require "spec.storm.permits"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED
local waiting, collect, holder = waits.waiting, waits.collect, contract.holder

local function title(engine)
  local slow = engine.lease and " #slow" or "" -- each death takes as long as a lease
  return "a semaphore on " .. engine.name .. slow
end

contract.each(_ENV, title, contract.semaphore, function(engine, open, keyed)
  it("gets back what a process holds that ends or is killed", function()
    local s <close> = open()
    local child = holder(open, 2)
    local t = waiting(function() return s:acquire(PATIENCE) end)
    child:signal("KILL")
    assert.same({true, true}, {t:join(PATIENCE)})
    child:wait()
    contract.at_last(engine, 1, s.value, s)
    local ends = assert(ipc.process(function() open():acquire() end))
    assert.is_true(ends:wait(PATIENCE))
    contract.at_last(engine, 1, s.value, s)
    ends = assert(ipc.process(function()
      open():acquire()
      os.exit(3)
    end))
    assert.same({nil, "exit", 3}, {ends:wait(PATIENCE)})
    contract.at_last(engine, 1, s.value, s)
  end)

  describe("removed,", function()
    it("wakes the waiters, in this and in other processes", function()
      local s <close> = open()
      s:acquire()
      s:acquire()
      local child <close> = contract.waiter(open, PATIENCE)
      local t = waiting(function() return s:acquire(PATIENCE) end)
      local u = waiting(function() return ipc.select({s}, PATIENCE) end)
      assert.is_true(s:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
      assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
    end)

    it("stays removed for those that have it open", function()
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

    keyed("makes room for a new one", function()
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
      contract.at_last(engine, 1, s.value, s)
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

  it("never has more holders than permits, whichever process is killed", function()
    local s <close> = open(3)
    local seen = storm(engine.lease and 14 or SANITIZED and 60 or 200, 3, function()
      return math.random(2) == 1 and s or open(3)
    end)
    assert.is_true(seen.most == 3 or engine.lease ~= nil) -- for a while the dead ones hold the others
    assert.is_true(seen.hit > 0 and seen.perhaps > 0)
    contract.at_last(engine, 3, s.value, s)
  end)

  keyed("survives that all of its users are killed", function()
    open(3):close()
    local seen = storm(engine.lease and 8 or SANITIZED and 20 or 100, 3, function() return open(3) end)
    assert.is_true(seen.most == 3 or engine.lease ~= nil)
    contract.at_last(engine, 3, function() return open(3):value() end)
  end)
end)
