-- SPDX-License-Identifier: MIT
-- Clean-up in a task that was cancelled could not wait at all: a farewell was never sent. Where the runtime itself
-- waited for others to end, a second cancellation cut that short: tasks outlived their scope. And a task that caught
-- each cancellation in a loop kept everybody else from running.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const>, waiting <const> = waits.PATIENCE, waits.waiting

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

-- a thing to wait for, that is opened once
local function gate()
  local a, b = ipc.stream_channel_pair()
  return {
    pass = function() return b:receive() end,
    open = function() a:close() end,
  }
end

describe("ipc.shield", function()
  it("returns what the function returns, and raises what it raises", function()
    assert.same({n = 3, 1, nil, 3}, table.pack(ipc.shield(function(...) return ... end, 1, nil, 3)))
    assert.same({n = 0}, table.pack(ipc.shield(function() ipc.sleep(0) end)))
    local problem = {}
    assert.same({false, problem}, {pcall(ipc.shield, error, problem)})
    assert.error_matches(function() ipc.shield() end, "function expected")
    local t = ipc.task(ipc.shield, function(...)
      ipc.yield()
      return ...
    end, 1, nil)
    assert.same({n = 3, true, 1, nil}, table.pack(t:join(PATIENCE)))
  end)

  it("lets the clean-up of a cancelled task wait", function()
    local a, b = ipc.stream_channel_pair()
    local after
    local t = waiting(function()
      local _ <close> = closing(function()
        ipc.shield(function()
          ipc.yield()
          ipc.sleep(0.001)
          a:send("bye")
        end)
        after = pcall(ipc.sleep, 0)
      end)
      ipc.sleep(1000)
    end)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal("bye", b:receive(0))
    assert.is_false(after)
    a:close()
    b:close()
  end)

  it("keeps back a cancellation that comes meanwhile, whatever it waits for", function()
    local q <close> = ipc.queue(ipc.private)
    local other <close> = waiting(ipc.sleep, 1000)
    for name, wait in pairs {
      receive = function() return q:receive() end,
      select = function() return select(2, ipc.select {q, {q, "receive", 5}}) end,
      scope = function() return ipc.scope(function(scope) return select(2, scope:task(q.receive, q):join()) end) end,
      timeout = function() return ipc.timeout(1000, q.receive, q) end,
      nested = function() return ipc.shield(ipc.shield, q.receive, q) end,
      coroutine = function() return ipc.coroutine.wrap(function() return (q:receive()) end)() end,
      yields = function() repeat ipc.yield() until #q > 0 return q:receive() end,
      join = function() other:join(0) return q:receive() end,
    } do
      local t = ipc.task(function()
        local got = ipc.shield(wait)
        return got, pcall(ipc.sleep, 1000)
      end)
      waits.settle()
      t:cancel()
      waits.settle()
      t:cancel()
      q:send(1, name)
      assert.same({true, name, false, ipc.cancelled}, {t:join(PATIENCE)})
    end
  end)

  it("holds until the outermost has ended, also when an inner one fails", function()
    local one, two = gate(), gate()
    local t = waiting(function()
      ipc.shield(function()
        pcall(ipc.shield, error)
        ipc.shield(one.pass)
        two.pass()
      end)
      return pcall(ipc.yield)
    end)
    t:cancel()
    one.open()
    waits.settle()
    assert.equal("waiting", t:status())
    two.open()
    assert.same({true, false, ipc.cancelled}, {t:join(PATIENCE)})
  end)

  it("is over when its function has failed", function()
    local t = waiting(function()
      pcall(ipc.shield, function()
        ipc.yield()
        error "no good"
      end)
      ipc.sleep(1000)
    end)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
  end)

  it("goes along with a generator that yields out of it", function()
    local pass = gate()
    local generator = ipc.coroutine.wrap(function()
      ipc.shield(function()
        coroutine.yield("outside")
        pass.pass()
        coroutine.yield("again")
      end)
    end)
    local t = ipc.task(function()
      local log = {generator()}
      log[2] = pcall(ipc.sleep, 1000) -- outside: it is cancelled here
      log[3] = generator()
      log[4] = pcall(ipc.sleep, 1000)
      return log
    end)
    waits.settle()
    t:cancel()
    waits.settle()
    assert.equal("waiting", t:status())
    pass.open()
    local ok, log = t:join(PATIENCE)
    assert.same({true, {"outside", false, "again", false}}, {ok, log})
  end)

  it("lets a coroutine's own clean-up wait, when its error or a cancellation unwinds it", function()
    local log = {}
    local function generator(fail)
      return ipc.coroutine.wrap(function()
        local _ <close> = closing(function(_, err)
          ipc.shield(ipc.sleep, 0.001)
          log[#log + 1] = err
        end)
        if fail then error("failed", 0) end
        ipc.sleep(1000)
      end)
    end
    local t = waiting(function()
      pcall(generator(true))
      generator(false)()
    end)
    while #log == 0 do ipc.sleep(0.001) end
    waits.settle()
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.same({"failed", ipc.cancelled}, log)
  end)

  it("is not left behind by a coroutine that dies in it or is closed", function()
    local t = waiting(function()
      local co = coroutine.create(function() ipc.shield(error, "dies") end)
      ipc.coroutine.resume(co)
      co = coroutine.create(function() ipc.shield(coroutine.yield) end)
      ipc.coroutine.resume(co)
      coroutine.close(co)
      pcall(ipc.coroutine.wrap(function() ipc.shield(error, "dies") end))
      ipc.sleep(1000)
    end)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
  end)

  it("is for its own task alone", function()
    local child
    local t = waiting(function()
      ipc.shield(function()
        child = ipc.task(ipc.sleep, 1000)
        child:join()
      end)
    end)
    t:cancel()
    waits.settle()
    assert.equal("waiting", child:status())
    child:cancel()
    assert.same({true}, {t:join(PATIENCE)})
  end)

  it("holds up a timeout that is around it, whose function has its results then", function()
    local pass = gate()
    local t = waiting(ipc.timeout, 0.001, function()
      ipc.shield(pass.pass)
      return "whole"
    end)
    local late = waiting(ipc.timeout, 0.001, function()
      ipc.shield(pass.pass)
      ipc.sleep(1000)
    end)
    ipc.sleep(0.002)
    waits.settle()
    assert.equal("waiting", t:status())
    pass.open()
    assert.same({true, "whole"}, {t:join(PATIENCE)})
    assert.same({true, nil, "timeout"}, {late:join(PATIENCE)})
    assert.same({nil, "timeout"}, {ipc.shield(ipc.timeout, 0.001, ipc.sleep, 1000)})
  end)

  it("keeps the holds of its task", function()
    local m <close> = ipc.mutex(ipc.private)
    local t = waiting(function()
      local _ <close> = closing(function()
        ipc.shield(function()
          ipc.sleep(0.001)
          m:release()
        end)
      end)
      m:acquire()
      ipc.sleep(1000)
    end)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.same({n = 1, true}, table.pack(m:try_acquire())) -- released, not abandoned
  end)

  it("does not make a callback wait that Lua cannot suspend", function()
    local t = ipc.task(function()
      return ipc.shield(pcall, table.sort, {2, 1}, function() ipc.sleep(0.001) end)
    end)
    local _, ok, problem = t:join(PATIENCE)
    assert.is_false(ok)
    assert.matches("cannot suspend", problem)
  end)
end)

describe("a second cancellation", function()
  it("lets no task outlive its scope", function()
    local pass, child = gate(), nil
    local t = waiting(function()
      ipc.scope(function(scope)
        child = scope:task(ipc.shield, pass.pass)
        ipc.sleep(1000)
      end)
    end)
    for _ = 1, 3 do
      t:cancel()
      repeat ipc.yield() until t:status() ~= "ready"
      assert.same({"waiting", "waiting"}, {t:status(), child:status()})
    end
    pass.open()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal("done", child:status())
  end)

  it("lets none outlive its <close>, nor its ipc.timeout", function()
    local pass, child = gate(), nil
    local function inner()
      child = ipc.current()
      ipc.shield(pass.pass)
    end
    for _, outer in ipairs {
      function()
        local _ <close> = ipc.task(inner)
        ipc.sleep(1000)
      end,
      function() ipc.timeout(1000, inner) end,
    } do
      pass = gate()
      local t = waiting(outer)
      for _ = 1, 3 do
        t:cancel()
        repeat ipc.yield() until t:status() ~= "ready"
        assert.same({"waiting", "waiting"}, {t:status(), child:status()})
      end
      pass.open()
      assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
      assert.equal("done", child:status())
    end
  end)
end)

describe("a scope that lives long", function()
  it("keeps nothing of a task that has ended", function()
    local ended = setmetatable({}, {__mode = "k"})
    ipc.scope(function(scope)
      for _ = 1, 100 do
        local t = scope:task(function() end)
        ended[t] = true
        t:join()
      end
      waits.settle()
      waits.collect()
      local left = 0
      for _ in pairs(ended) do left = left + 1 end
      assert.is_true(left < 10)
    end)
  end)
end)

describe("a task that catches each cancellation and goes on", function()
  it("lets the others run", function()
    local enough, rounds = false, 0
    local t = waiting(function()
      repeat
        pcall(ipc.sleep, 1000)
        rounds = rounds + 1
      until enough
    end)
    t:cancel()
    local other = ipc.task(function() for _ = 1, 10 do ipc.sleep(0.0001) end end)
    assert.same({true}, {other:join(PATIENCE)})
    assert.is_true(rounds > 1)
    assert.not_equal("done", t:status())
    enough = true
    assert.same({true}, {t:join(PATIENCE)})
  end)
end)
