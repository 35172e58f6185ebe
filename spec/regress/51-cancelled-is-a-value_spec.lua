-- SPDX-License-Identifier: MIT
-- A cancellation was a string, so it was a failure once it was handed on: coroutine.wrap, error(e) and
-- debug.traceback put a position or a traceback to it. ipc.timeout raised then, a scope failed, the exit status was 1.
-- And ipc.timeout said "timeout" whenever its function had been cancelled, by whomever.

local ipc = require "ipc"
local homes = require "spec.support.homes"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

-- Lua's own assert; busted has another one
local function must(ok, err, ...)
  if not ok then error(err) end
  return ok, err, ...
end

-- ways in which a wait's error reaches the end of the task
local ways = {}

function ways.wrap()
  for _ in ipc.coroutine.wrap(function() ipc.sleep(1000) end) do end
end

function ways.nested_wrap()
  ipc.coroutine.wrap(function() ways.wrap() end)()
end

function ways.resume()
  local ok, err = ipc.coroutine.resume(coroutine.create(ipc.sleep), 1000)
  if not ok then error(err) end
end

function ways.pcall_and_error()
  local ok, err = pcall(ipc.sleep, 1000)
  if not ok then error(err) end
end

function ways.xpcall_with_traceback()
  local ok, err = xpcall(ipc.sleep, debug.traceback, 1000)
  if not ok then error(err, 2) end
end

function ways.assert()
  must(pcall(ipc.sleep, 1000))
end

function ways.close()
  local _ <close> = setmetatable({}, {__close = function(_, err) error(err) end})
  ipc.sleep(1000)
end

function ways.select()
  ipc.select {ipc.timer(1000)}
end

function ways.scope()
  ipc.scope(function(scope) scope:task(ways.wrap) end)
end

function ways.timeout()
  ipc.timeout(1000, ways.wrap)
end

function ways.join_of_what_was_cancelled_with_it()
  local other = ipc.task(ways.wrap)
  local _ <close> = setmetatable({}, {__close = function() other:cancel() end})
  must(other:join())
end

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

describe("ipc.cancelled", function()
  it("is a value of its own that user code cannot change", function()
    assert.equal("userdata", type(ipc.cancelled))
    assert.equal("cancelled", tostring(ipc.cancelled))
    assert.is_false(getmetatable(ipc.cancelled))
    assert.has_error(function() setmetatable(ipc.cancelled, {}) end)
    assert.has_error(function() ipc.cancelled.x = 1 end)
    assert.equal("it was cancelled, no", "it was " .. ipc.cancelled .. ", no")
  end)

  for name, way in pairs(ways) do
    it("passes through: " .. name, function()
      local seen
      local t = waits.waiting(function()
        local _ <close> = closing(function(_, err) seen = err end)
        way()
      end)
      t:cancel()
      assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
      assert.equal("cancelled", t:status())
      assert.equal(ipc.cancelled, seen)
      assert.same({nil, "timeout"}, {ipc.timeout(0.001, way)})
      assert.same({nil, ipc.cancelled}, {ipc.scope(function(scope)
        scope:task(way)
        waits.settle()
        scope:cancel()
      end)})
    end)
  end

  it("is raised again in each wait of a task that catches it", function()
    local errors = {}
    local q <close> = ipc.queue(ipc.private)
    local t = waits.waiting(function()
      for i, wait in ipairs {
        ipc.yield, function() ipc.sleep(1000) end, function() q:receive() end, function() q:receive(0, 0) end,
        function() ipc.select {q} end, function() ipc.scope(function() end) end,
        function() ipc.timeout(1, function() end) end,
      } do
        local _, err = pcall(wait)
        errors[i] = err
      end
      return "done"
    end)
    t:cancel()
    assert.same({true, "done"}, {t:join(PATIENCE)})
    assert.equal("done", t:status())
    assert.equal(7, #errors)
    for _, err in ipairs(errors) do assert.equal(ipc.cancelled, err) end
  end)

  it("ends a task as cancelled that was not cancelled", function()
    local gone = waits.waiting(ipc.sleep, 1000)
    gone:cancel()
    local t = ipc.task(function() must(gone:join()) end)
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal("cancelled", t:status())
    t = ipc.task(error, ipc.cancelled)
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal("cancelled", t:status())
  end)

  it("made into another error is a failure", function()
    local t = waits.waiting(function()
      local _, err = pcall(ipc.sleep, 1000)
      error("step: " .. err, 0)
    end)
    t:cancel()
    assert.same({false, "step: cancelled"}, {t:join(PATIENCE)})
    assert.equal("failed", t:status())
  end)

  it("is not mistaken for a string", function()
    local t = waits.waiting(function()
      pcall(ipc.sleep, 1000)
      error("cancelled", 0)
    end)
    t:cancel()
    assert.same({false, "cancelled"}, {t:join(PATIENCE)})
    assert.equal("failed", t:status())
  end)

  it("of itself, of one that is ready, or that has its result", function()
    local t = ipc.task(function()
      ipc.current():cancel()
      ipc.sleep(1000)
    end)
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    t = ipc.task(function() while true do ipc.yield() end end)
    ipc.yield()
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    local a, b = ipc.stream_channel_pair()
    t = waits.waiting(function() return b:receive() end)
    local killer = ipc.task(function() t:cancel() end) -- the message comes in the same turn, or before
    a:send("m")
    killer:join()
    local ok, got = t:join(PATIENCE)
    assert.is_true(ok and got == "m" or not ok and got == ipc.cancelled and b:receive() == "m")
    a:close()
    b:close()
  end)

  it("goes no further than the task in a chain of joins", function()
    local chain = {waits.waiting(ipc.sleep, 1000)}
    for i = 2, 5 do chain[i] = waits.waiting(function() return chain[i - 1]:join() end) end
    chain[3]:cancel()
    assert.same({true, false, ipc.cancelled}, {chain[4]:join(PATIENCE)})
    assert.same({true, true, false, ipc.cancelled}, {chain[5]:join(PATIENCE)})
    assert.equal("waiting", chain[2]:status())
    chain[1]:cancel()
    assert.same({true, false, ipc.cancelled}, {chain[2]:join(PATIENCE)})
  end)

  it("raised by a timer's function from within is no failure", function()
    local ran = 0
    local timer = ipc.timer(0.001, function(timer)
      ran = ran + 1
      if ran == 3 then timer:stop() end
      ipc.current():cancel()
      ipc.sleep(1000)
    end)
    while ran < 3 do ipc.sleep(0.001) end
    assert.same({0, 0}, {#ipc.tasks(), timer:stop() and 0})
  end)

  it("raised by one listener does not keep the signal from the others", function()
    local gone = waits.waiting(ipc.sleep, 1000)
    gone:cancel()
    local heard, usr1 = {}, ipc.signal("USR1")
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function() heard[#heard + 1] = "first" end)
    handler:add(function()
      heard[#heard + 1] = "last"
      must(gone:join())
    end)
    local file <close> = assert(io.open("/proc/self/stat"))
    usr1:dispatch(file:read("n"))
    while #heard < 2 do ipc.sleep(0.001) end
    assert.same({"last", "first"}, heard)
  end)

  it("is not sent: a codec raises", function()
    local a, b = ipc.stream_channel_pair {codec = "lua"}
    local json <close> = ipc.stream_channel_pair()
    assert.has_error(function() a:send(ipc.cancelled) end)
    assert.has_error(function() json:send(ipc.cancelled) end)
    a:close()
    b:close()
  end)
end)

describe("ipc.timeout", function()
  it("raises it when something else cancelled its function", function()
    assert.same({false, ipc.cancelled}, {pcall(ipc.timeout, 1000, function()
      ipc.current():cancel()
      ipc.sleep(1000)
    end)})
    assert.same({false, ipc.cancelled}, {pcall(ipc.timeout, 1000, error, ipc.cancelled)})
    local inner
    local t = waits.waiting(ipc.timeout, 1000, function()
      inner = ipc.current()
      ipc.sleep(1000)
    end)
    inner:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal("cancelled", t:status())
  end)

  it("says timeout for its own, also nested, and when its function raises while it is cancelled", function()
    assert.same({nil, "timeout"}, {ipc.timeout(0.001, ipc.timeout, 1000, ipc.sleep, 1000)})
    assert.same({true, nil, "timeout"}, {ipc.timeout(1000, function()
      return true, ipc.timeout(0.001, ipc.sleep, 1000)
    end)})
    assert.same({nil, "timeout"}, {ipc.timeout(0, ipc.sleep, 1000)})
    local ok, err = pcall(ipc.timeout, 0.001, function()
      pcall(ipc.sleep, 1000)
      error("late", 0)
    end)
    assert.is_false(ok)
    assert.matches("^late", err)
    assert.same({"in spite of all"}, {ipc.timeout(0.001, function()
      pcall(ipc.sleep, 1000)
      return "in spite of all"
    end)})
  end)
end)

describe("ipc.scope", function()
  it("ends its tasks when its function alone is cancelled", function()
    local child
    assert.same({nil, ipc.cancelled}, {ipc.scope(function(scope)
      child = scope:task(ipc.sleep, 1000)
      error(ipc.cancelled)
    end)})
    assert.equal("cancelled", child:status())
  end)

  it("returns what its function returns, also after scope:cancel()", function()
    assert.same({"result", 2}, {ipc.scope(function(scope)
      scope:task(ipc.sleep, 1000)
      scope:cancel()
      return "result", 2
    end)})
  end)

  it("goes on when one of its tasks is cancelled", function()
    assert.same({"whole"}, {ipc.scope(function(scope)
      local one = scope:task(ipc.sleep, 1000)
      local other = scope:task(error, ipc.cancelled)
      waits.settle()
      one:cancel()
      one:join()
      other:join()
      return "whole"
    end)})
  end)
end)

describe("a program", function()
  for _, home in ipairs(homes) do
    it("whose tasks end with it has no error: " .. home.name, function()
      local output, status, errors = home.run [[
        local function work() for _ in ipc.coroutine.wrap(function() ipc.sleep(1000) end) do end end
        local t, u = ipc.task(work), ipc.task(function() assert(pcall(work)) end)
        ipc.yield()
        t:cancel()
        u:cancel()
        ipc.run()
        print "end"
      ]]
      assert.same({"end\n", "exit 0", ""}, {output, status, errors})
    end)
  end
end)
