-- SPDX-License-Identifier: MIT
-- What every engine's mutex promises when holders die: the next acquire tells of it, exactly once.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local rounds = require "spec.support.rounds"
local storm = require "spec.storm.permits"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED
local waiting, holder, waiter, told = waits.waiting, contract.holder, contract.waiter, contract.told

local function title(engine)
  local slow = engine.lease and " #slow" or "" -- each death takes as long as a lease
  return "a mutex on " .. engine.name .. slow
end

contract.each(_ENV, title, ipc.mutex, function(engine, open, keyed)
  local function killed_holder(m)
    local child = holder(open)
    child:signal("KILL")
    assert.same({nil, "signal", 9}, {child:wait(PATIENCE)})
    if m then contract.at_last(engine, nil, m.holder, m) end
  end

  describe("tells that its holder died:", function()
    it("to the next, once", function()
      local m <close> = open()
      for _ = 1, 3 do
        killed_holder(m)
        assert.equal("abandoned, nothing", told(m))
      end
    end)

    it("to the next guard, which is one", function()
      local m <close> = open()
      killed_holder(m)
      do
        local guard <close>, how = m:hold(0)
        assert.equal("abandoned", how)
        assert.matches("ipc.Guard", tostring(guard))
      end
      assert.equal("nothing, nothing", told(m))
    end)

    it("to try_acquire, and to a select", function()
      local m <close> = open()
      killed_holder(m)
      assert.same({true, "abandoned"}, {m:try_acquire()})
      m:release()
      killed_holder(m)
      assert.same({1, true, "abandoned"}, {ipc.select({m}, 0)})
      m:release()
      killed_holder(m)
      local which, guard, how = ipc.select({{m, "hold"}}, PATIENCE)
      assert.same({1, "abandoned"}, {which, how})
      guard:close()
      assert.equal("nothing, nothing", told(m))
    end)

    it("to a task that waits", function()
      local m <close> = open()
      for _, how in ipairs{"acquire", "hold", "select"} do
        local child = holder(open)
        local t = waiting(function()
          if how == "select" then return select(2, ipc.select({m}, PATIENCE)) end
          return m[how](m, PATIENCE)
        end)
        child:signal("KILL")
        local _, ok, word = t:join(PATIENCE)
        assert.is_truthy(ok)
        assert.equal("abandoned", word, how)
        child:wait()
        assert.equal("abandoned, nothing", told(m)) -- for that task has ended with it
      end
    end)

    it("to the main chunk that waits", function()
      local m <close> = open()
      local child = holder(open)
      local t = waiting(function()
        ipc.sleep(0.001)
        child:signal("KILL")
      end)
      assert.same({true, "abandoned"}, {m:acquire(PATIENCE)})
      assert.is_true(t:join())
      child:wait()
      m:release()
      assert.equal("nothing, nothing", told(m))
    end)

    it("to another process that waits", function()
      local m <close> = open()
      local child = holder(open)
      local other <close> = waiter(open, PATIENCE)
      assert.same({nil, "timeout"}, {other.channel:receive(0.005)}) -- time for it to sleep in the kernel
      child:signal("KILL")
      assert.same({true, "abandoned"}, other.channel:receive(PATIENCE))
      child:wait()
      assert.is_nil(m:acquire(0))
    end)

    it("to one of all that wait", function()
      local m <close> = open()
      local child = holder(open)
      local words, tasks = {}, {}
      local function use(s)
        local ok, how = s:acquire(PATIENCE)
        if not ok then return how end
        s:release()
        return how or "nothing"
      end
      for i = 1, 5 do tasks[i] = waiting(use, m) end
      local others = {}
      for i = 1, 2 do
        others[i] = assert(ipc.process(function(channel)
          local t = waiting(use, open())
          channel:send("waiting")
          channel:send(select(2, t:join()))
        end))
        assert.equal("waiting", others[i].channel:receive(PATIENCE))
      end
      child:signal("KILL")
      for _, t in ipairs(tasks) do words[#words + 1] = select(2, t:join(PATIENCE)) end
      for _, other in ipairs(others) do words[#words + 1] = other.channel:receive(PATIENCE) end
      child:wait()
      table.sort(words)
      assert.equal("abandoned" .. (" nothing"):rep(6), table.concat(words, " "))
      for _, other in ipairs(others) do other:wait() end
    end)

    it("again, when the one that was told dies, too", function()
      local m <close> = open()
      local first = holder(open)
      local second = waiter(open, PATIENCE)
      first:signal("KILL")
      assert.same({true, "abandoned"}, second.channel:receive(PATIENCE))
      assert.equal(second.pid, m:holder())
      second:signal("KILL")
      first:wait()
      second:wait()
      assert.equal("abandoned, nothing", told(m))
    end)

    keyed("to the next that opens it, when no process has it open", function()
      killed_holder()
      local m <close> = open()
      assert.equal("abandoned, nothing", told(m))
      local child = assert(ipc.process(function(channel)
        channel:send{open():acquire(PATIENCE)}
        channel:receive()
      end))
      assert.same({true}, child.channel:receive(PATIENCE))
      child:signal("KILL")
      child:wait()
      assert.equal("abandoned, nothing", told(m))
    end)

    it("not, when one died that waited, or had released", function()
      local m <close> = open()
      local child = holder(open)
      local other = waiter(open, PATIENCE)
      other:signal("KILL")
      other:wait()
      child.channel:send("release")
      assert.equal("released", child.channel:receive(PATIENCE))
      child:signal("KILL")
      child:wait()
      assert.equal("nothing, nothing", told(m))
    end)

    it("not, when it is only fought for", function()
      local ROUNDS = (SANITIZED or engine.lease) and 2000 or 20000
      local lease = {lease = 30} -- that no busy machine lets end
      local m <close> = open(lease)
      local children = {}
      for i = 1, 3 do
        children[i] = assert(ipc.process(function(channel)
          local mine = open(lease)
          local got, abandoned = 0, 0
          for _ = 1, ROUNDS do
            local ok, how = mine:try_acquire()
            if how == "abandoned" then abandoned = abandoned + 1 end
            if ok then got = got + 1 mine:release() end
          end
          channel:send{got = got, abandoned = abandoned}
        end))
      end
      local got = 0
      for _, child in ipairs(children) do
        local seen = child.channel:receive(PATIENCE)
        got = got + seen.got
        assert.equal(0, seen.abandoned)
        assert.is_true(child:wait(PATIENCE))
      end
      assert.is_true(got > 0)
      assert.equal("nothing, nothing", told(m))
    end)

    it("by what became of it", function()
      local m <close> = open()
      local function ended(expected, fn)
        local child <close> = assert(ipc.process(function()
          local mine = open()
          mine:acquire(PATIENCE)
          fn(mine)
        end))
        child:wait(PATIENCE)
        assert.equal(expected .. ", nothing", told(m))
      end
      ended("abandoned", function() end)
      ended("abandoned", function() os.exit(0) end)
      ended("abandoned", function(mine) ipc.signal("TERM"):dispatch(mine:holder()) ipc.sleep(PATIENCE) end)
      ended("nothing", function(mine) mine:release() end)
      ended("nothing", function(mine) mine:close() end)
      ended("nothing", function() os.exit(0, true) end)
    end)
  end)

  describe("is abandoned by a task", function()
    local function task_told(fn)
      local m <close> = open()
      local held = false
      local t = ipc.task(function()
        assert(m:acquire(PATIENCE))
        held = true
        return fn(m)
      end)
      local next_one = ipc.task(function()
        local ok, how = m:acquire(PATIENCE)
        m:release()
        return ok and how or "nothing"
      end)
      ipc.task(function()
        while not held do ipc.sleep(0.001) end
        waits.settle()
        t:cancel()
      end)
      t:join(PATIENCE)
      local _, word = next_one:join(PATIENCE)
      return word .. ", " .. told(m)
    end

    it("that fails", function()
      assert.equal("abandoned, nothing, nothing", task_told(function()
        ipc.yield()
        error("the work failed")
      end))
    end)

    it("that is cancelled", function()
      assert.equal("abandoned, nothing, nothing", task_told(function() ipc.sleep(100) end))
    end)

    it("that ends without releasing", function()
      assert.equal("abandoned, nothing, nothing", task_told(function() end))
    end)

    it("unless it releases while it unwinds", function()
      assert.equal("nothing, nothing, nothing", task_told(function(m)
        local _ <close> = setmetatable({}, {__close = function() m:release() end})
        ipc.sleep(100)
      end))
    end)
  end)

  -- After the last death no process may be left to be told, so the spec asks.
  local function survives(kills, m, make)
    local seen = storm(kills, 1, make)
    local handle <close> = m or make()
    local ok, how = handle:acquire(PATIENCE)
    assert.is_true(ok)
    if how then seen.abandoned = seen.abandoned + 1 end
    local text = ("%d told, %d holders killed, %d perhaps"):format(seen.abandoned, seen.hit, seen.perhaps)
    assert.equal(1, seen.most)
    assert.is_true(seen.hit > 0, text)
    assert.is_true(seen.perhaps > 0 or kills < 20, text) -- of a few, each may have hit a holder
    assert.is_true(seen.hit <= seen.abandoned and seen.abandoned <= seen.hit + seen.perhaps, text)
  end

  it("has one holder and tells of every death, whichever process is killed #slow", function()
    local m = open()
    local kills = rounds(engine.lease and 14 or engine.name == "sysv" and 1000 or 300)
    survives(kills, m, function() return math.random(2) == 1 and m or open() end)
  end)

  keyed("survives that all of its users are killed", function()
    open():close()
    survives(engine.lease and 8 or SANITIZED and 30 or 150, nil, open)
  end)
end)
