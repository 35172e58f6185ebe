-- SPDX-License-Identifier: MIT
-- What every engine's mutex promises when it is removed or closed, and to a forked child.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local waiting, collect = waits.waiting, waits.collect
local holder, waiter, told = contract.holder, contract.waiter, contract.told

contract.each(_ENV, "a mutex", ipc.mutex, function(_, open, keyed)
  describe("in a forked child", function()
    it("is not held, and given back by nothing the child does", function()
      local m <close> = open()
      local guard <close> = assert(m:hold())
      local pid = m:holder()
      local child = assert(ipc.process(function(channel)
        channel:send{text = tostring(m), released = pcall(m.release, m), acquired = m:try_acquire() or false,
          holder = m:holder()}
        guard:close()
        m:close()
        collect()
      end))
      local seen = child.channel:receive(PATIENCE)
      assert.matches("not held", seen.text)
      assert.same({false, false, pid}, {seen.released, seen.acquired, seen.holder})
      assert.is_true(child:wait(PATIENCE))
      assert.equal(pid, m:holder())
      for _, fn in ipairs{collect, function() os.exit(0, true) end, function() os.exit(0) end} do
        child = assert(ipc.process(fn))
        child:wait(PATIENCE)
        assert.equal(pid, m:holder())
      end
      child = assert(ipc.process(function(channel) channel:receive() end))
      child:signal("KILL")
      child:wait()
      assert.equal(pid, m:holder())
      guard:close()
      assert.equal("nothing, nothing", told(m))
    end)

    it("is abandoned by a child that held it through the inherited handle", function()
      local m <close> = open()
      m:acquire()
      local child = assert(ipc.process(function(channel)
        channel:send{m:acquire(0) == nil}
        channel:send{m:acquire(PATIENCE)}
        channel:receive()
      end))
      assert.same({true}, child.channel:receive(PATIENCE))
      m:release()
      assert.same({true}, child.channel:receive(PATIENCE))
      assert.equal(child.pid, m:holder())
      local t = waiting(function() return m:acquire(PATIENCE) end)
      child:signal("KILL")
      assert.same({true, true, "abandoned"}, {t:join(PATIENCE)})
      child:wait()
    end)

    it("has no waits of its parent's", function()
      local m <close> = open()
      m:acquire()
      local t = waiting(function()
        local got = {m:acquire(PATIENCE)}
        m:release()
        return got
      end)
      ipc.sleep(0.001) -- so that the loop has blocked, and something waits in its place
      local child = assert(ipc.process(function(channel)
        channel:send{m:acquire(0) == nil, #ipc.tasks()}
        channel:send{m:acquire(PATIENCE)}
        m:release()
      end))
      assert.same({true, 0}, child.channel:receive(PATIENCE))
      m:release()
      assert.same({true, {true}}, {t:join(PATIENCE)})
      assert.same({true}, child.channel:receive(PATIENCE))
      assert.is_true(child:wait(PATIENCE))
      assert.equal("nothing, nothing", told(m))
    end)
  end)

  describe("removed,", function()
    it("wakes the waiters, in this and in other processes", function()
      local m <close> = open()
      m:acquire()
      local child <close> = waiter(open, PATIENCE)
      local t = waiting(function() return m:acquire(PATIENCE) end)
      local u = waiting(function() return ipc.select({m}, PATIENCE) end)
      assert.is_true(m:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
      assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
    end)

    it("stays removed for those that have it open", function()
      local m <close> = open()
      local guard = m:hold()
      m:remove()
      for _, method in ipairs{"acquire", "try_acquire", "hold", "holder", "release", "remove"} do
        assert.same({nil, "removed"}, {m[method](m, PATIENCE)}, method)
      end
      guard:close()
    end)

    keyed("makes room for a new one, which was never abandoned", function()
      local m <close> = open()
      local child = holder(open)
      child:signal("KILL")
      child:wait()
      m:remove()
      local new <close> = open()
      assert.equal("nothing, nothing", told(new))
      assert.same({nil, "removed"}, {m:holder()})
    end)
  end)

  keyed("closed, wakes the waiters on that handle, and no other", function()
    local m, other <close> = open(), open()
    local child <close> = holder(open)
    local t = waiting(function() return m:acquire(PATIENCE) end)
    local u = waiting(function() return other:acquire(PATIENCE) end)
    local v = waiting(function() return m:hold(PATIENCE) end)
    m:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    assert.same({true, nil, "closed"}, {v:join(PATIENCE)})
    child.channel:send("release")
    assert.same({true, true}, {u:join(PATIENCE)})
  end)

  keyed("closed, is not held, though it was granted to a task that has not run since", function()
    local other <close> = open()
    for _, method in ipairs{"acquire", "hold"} do
      local m = open()
      other:acquire()
      local t = ipc.task(function() return m[method](m, PATIENCE) end)
      ipc.yield()
      other:release()
      m:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
      assert.equal("nothing, nothing", told(other))
    end
  end)

  keyed("removed and closed, wakes the waiters, in whatever order that comes", function()
    for yields = 0, 5 do
      local m, other <close> = open(), open()
      other:acquire()
      local t = ipc.task(function() return m:acquire(PATIENCE) end)
      local u = ipc.task(function()
        for _ = 1, yields do ipc.yield() end
        m:close()
      end)
      ipc.yield()
      other:remove()
      local _, ok, why = t:join(PATIENCE)
      assert.is_nil(ok)
      assert.is_true(why == "removed" or why == "closed", why)
      assert.is_true(u:join(PATIENCE))
    end
  end)
end)
