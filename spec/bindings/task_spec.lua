-- SPDX-License-Identifier: MIT
-- Tasks: results, errors, cancellation, scopes, timeouts, select, and what must not be lost when they race.

local ipc = require "ipc"

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

describe("a task", function()
  it("gives its results to every join", function()
    local t = ipc.task(function(a, b) return a + b, nil, "x", nil end, 1, 2)
    assert.same({n = 5, true, 3, nil, "x"}, table.pack(t:join()))
    assert.same({n = 5, true, 3, nil, "x"}, table.pack(t:join()))
    assert.equal("done", t:status())
  end)

  it("gives its error to a join", function()
    local err = {}
    local t = ipc.task(function() error(err) end)
    local ok, got = t:join()
    assert.is_false(ok)
    assert.equal(err, got)
    assert.equal("failed", t:status())
  end)

  it("starts in the order of creation and yields in turn", function()
    local log = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = ipc.task(function()
        for round = 1, 2 do
          log[#log + 1] = i .. "." .. round
          ipc.yield()
        end
      end)
    end
    for i = 1, 3 do tasks[i]:join() end
    assert.equal("1.1 2.1 3.1 1.2 2.2 3.2", table.concat(log, " "))
  end)

  it("unwinds when it is cancelled, and again at its next wait", function()
    local log = {}
    local t = ipc.task(function()
      local _ <close> = closing(function() log[#log + 1] = "closed" end)
      local ok, err = pcall(ipc.sleep, 100)
      log[#log + 1] = tostring(ok) .. " " .. err
      ipc.sleep(100)
      log[#log + 1] = "not reached"
    end)
    ipc.yield()
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join()})
    assert.equal("cancelled", t:status())
    assert.same({"false cancelled", "closed"}, log)
  end)

  it("never runs when it is cancelled before it starts", function()
    local ran = false
    local t = ipc.task(function() ran = true end)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join()})
    assert.is_false(ran)
  end)

  it("may wait in a close while an error unwinds", function()
    local closed = false
    local t = ipc.task(function()
      local _ <close> = closing(function()
        ipc.sleep(0.001)
        closed = true
      end)
      error("boom")
    end)
    local ok, err = t:join()
    assert.is_false(ok)
    assert.matches("boom", err)
    assert.is_true(closed)
  end)

  it("cannot wait inside table.sort, and says so", function()
    local t = ipc.task(function()
      table.sort({3, 2, 1}, function(a, b)
        ipc.sleep(0.001)
        return a < b
      end)
    end)
    local ok, err = t:join()
    assert.is_false(ok)
    assert.matches("table.sort", err)
  end)

  it("fails when it yields what is no wait", function()
    local closed = false
    local t = ipc.task(function()
      local _ <close> = closing(function() closed = true end)
      coroutine.yield(1)
    end)
    local ok, err = t:join()
    assert.is_false(ok)
    assert.matches("ipc.yield", err)
    assert.is_true(closed)
  end)

  it("waits in coroutines of its own", function()
    local t = ipc.task(function()
      local generator = ipc.coroutine.wrap(function()
        for i = 1, 3 do
          ipc.sleep(0.001)
          coroutine.yield(i)
        end
      end)
      return generator(), generator(), generator()
    end)
    assert.same({true, 1, 2, 3}, {t:join()})
  end)

  it("ends with the block that holds it in a close variable", function()
    local closed = false
    do
      local t <close> = ipc.task(function()
        local _ <close> = closing(function() closed = true end)
        ipc.sleep(100)
      end)
      ipc.yield()
      assert.equal("waiting", t:status())
    end
    assert.is_true(closed)
  end)

  it("is one of ten thousand", function()
    local tasks = {}
    for i = 1, 10000 do
      tasks[i] = ipc.task(function()
        ipc.sleep(i % 7 / 1000)
        return i
      end)
    end
    for i = 1, 10000 do assert(select(2, tasks[i]:join()) == i) end
    assert.equal(0, #ipc.tasks())
  end)

  it("sleeps with a hundred thousand others #nosan", function()
    local tasks = {}
    for i = 1, 100000 do tasks[i] = ipc.task(ipc.sleep, 0.2) end
    for i = 1, 100000 do assert(tasks[i]:join()) end
  end)

  it("refuses timeouts that are none", function()
    local t = ipc.task(function() end)
    assert.error_matches(function() t:join(-1) end, "not negative")
    assert.error_matches(function() t:join(0 / 0) end, "not NaN")
    assert.error_matches(function() t:join("1") end, "number expected")
    assert.error_matches(function() ipc.task(1) end, "function expected")
    t:join()
  end)
end)

describe("a task with a name", function()
  it("shows it in its text, in the list and below the traceback", function()
    local list
    local t = ipc.task{name = "feeder", function(...)
      list = ipc.tasks()
      return select("#", ...), ...
    end, "a", "b"}
    assert.equal(("ipc.Task %d 'feeder' (ready)"):format(tonumber(tostring(t):match("%d+"))), tostring(t))
    assert.same({true, 2, "a", "b"}, {t:join()})
    assert.equal("feeder", list[1].name)
    local ok, err = pcall(ipc.scope, function(scope)
      scope:task{name = "eater", function() error("no bread") end}
    end)
    assert.is_false(ok)
    assert.matches("no bread\nstack traceback:.*\n\t%[task 'eater'%]$", err)
  end)

  it("keeps the name as long as anybody can ask for it", function()
    local t = ipc.task{name = ("x"):rep(100) .. os.time(), function() end}
    t:join()
    for _ = 1, 3 do collectgarbage() end
    assert.matches("^ipc.Task %d+ '" .. ("x"):rep(100), tostring(t))
  end)

  it("refuses what it does not know", function()
    for text, given in pairs{
      ["a function must be the first in the table"] = {name = "feeder"},
      ["name must be a string"] = {name = 1, print},
      ["without a zero byte"] = {name = "a\0b", print},
      ["unknown option 'nam'; it knows name"] = {nam = "feeder", print},
      ["unknown option '3'"] = {print, [3] = 1},
    } do
      local ok, err = pcall(ipc.task, given)
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
  end)
end)

describe("a scope", function()
  it("returns what its function returns, after all its tasks", function()
    local n = 0
    local got = ipc.scope(function(scope)
      for _ = 1, 5 do
        scope:task(function()
          ipc.sleep(0.002)
          n = n + 1
        end)
      end
      return "done"
    end)
    assert.equal("done", got)
    assert.equal(5, n)
  end)

  it("cancels the others at the first error and raises it with the task's traceback", function()
    local cancelled = 0
    local ok, err = pcall(ipc.scope, function(scope)
      for _ = 1, 3 do
        scope:task(function()
          local _ <close> = closing(function() cancelled = cancelled + 1 end)
          ipc.sleep(100)
        end)
      end
      scope:task(function()
        ipc.sleep(0.001)
        error("first")
      end)
      ipc.sleep(100)
    end)
    assert.is_false(ok)
    assert.matches("first.*stack traceback", err)
    assert.equal(3, cancelled)
  end)
end)

describe("a timeout", function()
  it("gives the results that came in time", function()
    assert.same({1, nil, 3}, {ipc.timeout(5, function() return 1, nil, 3 end)})
  end)

  it("cancels what takes too long", function()
    local closed = false
    local got = {ipc.timeout(0.002, function()
      local _ <close> = closing(function() closed = true end)
      ipc.sleep(100)
    end)}
    assert.same({nil, "timeout"}, got)
    assert.is_true(closed)
  end)

  it("passes an error on", function()
    assert.error_matches(function() ipc.timeout(5, function() error("mine") end) end, "mine")
  end)
end)

describe("select", function()
  it("completes the first case that can, in the order of the list", function()
    local a, b = ipc.stream_channel_pair()
    local c, d = ipc.stream_channel_pair()
    a:send("one")
    c:send("two")
    assert.same({1, "one"}, {ipc.select{b, d}})
    assert.same({2, "two"}, {ipc.select{b, d}})
    assert.same({nil, "timeout"}, {ipc.select({b, d}, 0.001)})
  end)

  it("names a case by its key, and takes any method that waits", function()
    local a, b = ipc.stream_channel_pair()
    local t = ipc.task(function()
      ipc.sleep(0.001)
      return "x"
    end)
    assert.same({"joined", true, "x"}, {ipc.select{joined = t, got = b}})
    assert.same({"sent", true}, {ipc.select{sent = {a, "send", "hello"}, got = b}})
    assert.equal("hello", b:receive())
  end)

  it("refuses what does not wait", function()
    assert.error_matches(function() ipc.select{42} end, "case 1: must be an object")
    assert.error_matches(function() ipc.select{{ipc.task(print), "status"}} end, "'status' of ipc.Task cannot be")
  end)
end)

describe("a wait", function()
  it("ends exactly once, whichever comes first: result, timeout or cancel", function()
    local seed = os.time()
    math.randomseed(seed)
    local rounds, sent, received = 3000, 0, {}
    local outcomes = {message = 0, timeout = 0, cancelled = 0}
    local a, b = ipc.stream_channel_pair()
    local waiters, arrived = {}, {}
    for i = 1, rounds do
      waiters[i] = ipc.task(function()
        local how, message, why = math.random(3), nil, nil
        local ok, err = pcall(function()
          if how == 1 then message, why = b:receive(math.random(0, 3) / 1000)
          elseif how == 2 then
            local key, value = ipc.select({b}, math.random(0, 3) / 1000)
            if key then message = value else why = value end
          else
            message, why = ipc.timeout(math.random(0, 3) / 1000, function()
              local got = b:receive()
              arrived[got] = true -- a cancel may come between this and the outer function's return
              return got
            end)
          end
        end)
        if not ok then
          assert(err == ipc.cancelled, err)
          outcomes.cancelled = outcomes.cancelled + 1
        elseif message then
          assert(not received[message], "twice")
          received[message] = true
          outcomes.message = outcomes.message + 1
        else
          assert(why == "timeout", why)
          outcomes.timeout = outcomes.timeout + 1
        end
      end)
      if math.random(3) == 1 then
        sent = sent + 1
        a:send(sent)
      end
      if math.random(4) == 1 then waiters[math.random(i)]:cancel() end
      if math.random(20) == 1 then ipc.sleep(0.001) end
    end
    local never = 0
    for i = 1, rounds do
      local ok, err = waiters[i]:join()
      if not ok then
        assert.equal(ipc.cancelled, err, "seed " .. seed) -- cancelled before it ran
        never = never + 1
      end
    end
    local message = b:receive(0)
    while message do
      assert(not received[message], "twice")
      received[message] = true
      message = b:receive(0)
    end
    assert.equal(rounds, outcomes.message + outcomes.timeout + outcomes.cancelled + never, "seed " .. seed)
    for i = 1, sent do assert.is_true(received[i] or arrived[i], ("message %d is lost, seed %d"):format(i, seed)) end
  end)
end)
