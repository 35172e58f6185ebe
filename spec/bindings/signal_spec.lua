-- SPDX-License-Identifier: MIT
-- Signals and timers: where they are seen, in which order, and while code is busy.

local ipc = require "ipc"
local shell = require "spec.support.shell"

local pid = shell.pid()

-- the disposition of a signal as the kernel tells it: "caught", "ignored" or "default"
local function disposition(number)
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("a")
  file:close()
  local function has(field)
    return tonumber(text:match(field .. ":%s+(%x+)"), 16) >> (number - 1) & 1 == 1
  end
  return has("SigCgt") and "caught" or has("SigIgn") and "ignored" or "default"
end

local function wait_for(done)
  local deadline = ipc.now() + 5
  while not done() and ipc.now() < deadline do ipc.yield() end
  assert.is_true(done())
end

describe("a signal", function()
  it("has a name and a number", function()
    assert.equal(10, ipc.signal("USR1").number)
    assert.equal("USR1", ipc.signal("SIGUSR1").name)
    assert.equal("RTMIN+2", ipc.signal("RTMIN+2").name)
    assert.error_matches(function() ipc.signal("NONE") end, "no signal is named 'NONE'")
    assert.error_matches(function() ipc.signal(99) end, "no signal has the number 99")
    assert.error_matches(function() ipc.signal_trap("KILL") end, "cannot be caught")
    assert.error_matches(function() ipc.signal_handler("RTMAX-1") end, "runtime's own")
  end)

  it("tells its sender and its value", function()
    local trap <close> = ipc.signal_trap("USR1")
    assert.is_true(ipc.signal("USR1"):dispatch(pid, -7))
    local info = trap:trapped()
    assert.equal("USR1", info.name)
    assert.equal(pid, info.pid)
    assert.equal(-7, info.value)
    assert.is_number(info.uid)
    trap:reset()
    assert.is_false(trap:trapped())
  end)

  it("reaches the newest listener first, and no other if that returns true", function()
    local log = {}
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function(info) log[#log + 1] = "old " .. info.value end)
    local newest = function(info)
      log[#log + 1] = "new " .. info.value
      return info.value == 1
    end
    handler:add(newest)
    for i = 1, 2 do ipc.signal("USR1"):dispatch(pid, i) end
    wait_for(function() return #log == 3 end)
    assert.is_true(handler:remove(newest))
    assert.is_false(handler:remove(newest))
    ipc.signal("USR1"):dispatch(pid, 3)
    wait_for(function() return #log == 4 end)
    assert.same({"new 1", "new 2", "old 2", "old 3"}, log)
  end)

  it("reaches the listeners that are there, whatever was added and removed before", function()
    local handler <close> = ipc.signal_handler("USR1")
    local expected, seen, listeners = {}, {}, {}
    for i = 1, 20 do
      listeners[i] = function() seen[#seen + 1] = i end
    end
    local function newest_of(i)
      for at = #expected, 1, -1 do
        if expected[at] == i then return at end
      end
    end
    for step = 1, 600 do
      local i = math.random(#listeners)
      if math.random() < (step < 400 and 0.55 or 0.3) then
        assert.is_true(handler:add(listeners[i]))
        expected[#expected + 1] = i
      else
        local at = newest_of(i)
        assert.equal(at ~= nil, handler:remove(listeners[i]))
        if at then table.remove(expected, at) end
      end
      if step % 60 == 0 and #expected > 0 then
        seen = {}
        ipc.signal("USR1"):dispatch(pid)
        wait_for(function() return #seen == #expected end)
        for at, which in ipairs(seen) do assert.equal(expected[#expected + 1 - at], which) end
      end
    end
  end)

  it("reaches those that were there when it came, though one of them removes another", function()
    local handler <close> = ipc.signal_handler("USR1")
    local seen = {}
    local function old() seen[#seen + 1] = "old" end
    local function late() seen[#seen + 1] = "late" end
    assert.is_true(handler:add(old))
    assert.is_true(handler:add(function()
      seen[#seen + 1] = "new"
      if handler:remove(old) then handler:add(late) end
    end))
    ipc.signal("USR1"):dispatch(pid)
    wait_for(function() return #seen == 2 end)
    assert.same({"new", "old"}, seen)
    ipc.signal("USR1"):dispatch(pid)
    wait_for(function() return #seen == 4 end)
    assert.same({"new", "old", "late", "new"}, seen)
  end)

  it("is seen by every handler, trap and waiter", function()
    local seen = 0
    local trap = ipc.signal_trap("USR2")
    local one <close> = ipc.signal_handler("USR2")
    local two <close> = ipc.signal_handler("USR2")
    one:add(function() seen = seen + 1 return true end)
    two:add(function() seen = seen + 1 end)
    local signal <close> = ipc.signal("USR2")
    local waiter = ipc.task(function() return signal:wait(5).value end)
    ipc.yield()
    signal:dispatch(pid, 9)
    assert.same({true, 9}, {waiter:join()})
    wait_for(function() return seen == 2 end)
    assert.equal(9, trap:wait(5).value)
    trap:close()
  end)

  it("is put back as it was", function()
    assert.equal("default", disposition(10))
    local trap = ipc.signal_trap("USR1")
    assert.equal("caught", disposition(10))
    local signal = ipc.signal("USR1")
    assert.is_true(signal:ignore())
    assert.equal("caught", disposition(10))
    trap:close()
    assert.equal("ignored", disposition(10))
    signal:close()
    assert.equal("default", disposition(10))
  end)

  it("is caught in a loop that never waits #busy", function()
    local got
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function(info) got = info.value end)
    ipc.signal("USR1"):dispatch(pid, 5)
    while not got do end
    assert.equal(5, got)
    got = nil
    ipc.coroutine.wrap(function() -- in stock Lua the standard one hides from us what runs
      ipc.signal("USR1"):dispatch(pid, 6)
      while not got do end
    end)()
    assert.equal(6, got)
  end)

  it("waits for dispatch when it must not interrupt", function()
    local got
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function(info) got = info.value end)
    assert.is_true(ipc.signals_async(false))
    ipc.signal("USR1"):dispatch(pid, 5)
    for _ = 1, 100000 do assert(not got) end
    ipc.dispatch()
    ipc.signals_async(true)
    assert.equal(5, got)
  end)

  it("arrives sixty thousand times, in order #nosan", function()
    local n, last, ordered = 60000, 0, true
    local handler <close> = ipc.signal_handler("RTMIN+3")
    handler:add(function(info)
      ordered = ordered and info.value == last + 1
      last = info.value
    end)
    local child <close> = ipc.process(function()
      local signal = ipc.signal("RTMIN+3")
      for i = 1, n do
        while not signal:dispatch(pid, i) do ipc.sleep(0.001) end -- the kernel's queue is full
      end
    end)
    assert.is_true(child:wait(30))
    wait_for(function() return last == n end)
    assert.is_true(ordered)
    assert.equal(0, ipc.stats().signals_lost)
  end)
end)

describe("a timer", function()
  it("counts every tick, served or missed, in code that never waits #busy #nosan", function()
    local ticks = 0
    local before = ipc.now()
    local timer = ipc.timer(0.01, function(_, missed) ticks = ticks + 1 + missed end)
    local start = ipc.now()
    local now
    repeat now = ipc.now() until now - start >= 1.005
    timer:stop()
    local least, most = (now - start) // 0.01, (ipc.now() - before) // 0.01 -- the last may be due just now
    assert.is_true(least >= 100 and least - 1 <= ticks and ticks <= most, ticks .. " ticks")
  end)

  it("gives tick numbers and missed ticks to a waiter", function()
    local timer <close> = ipc.timer(0.002)
    local tick, missed = timer:wait()
    assert.is_true(tick - missed == 1)
    local start = ipc.now()
    while ipc.now() - start < 0.01 do end
    local later, lost = timer:wait()
    assert.equal(later, tick + lost + 1)
    assert.is_true(lost >= 3)
    timer:stop()
    assert.same({nil, "closed"}, {timer:wait()})
  end)

  it("never overlaps itself", function()
    local inside, worst, calls = 0, 0, 0
    local timer = ipc.timer(0.001, function()
      inside, calls = inside + 1, calls + 1
      worst = math.max(worst, inside)
      ipc.sleep(0.004)
      inside = inside - 1
    end)
    wait_for(function() return calls >= 3 end)
    timer:stop()
    assert.equal(1, worst)
  end)

  it("fires once with after, and again when it is started again", function()
    local fired = 0
    local timer = ipc.after(0.001, function() fired = fired + 1 end)
    wait_for(function() return fired == 1 end)
    timer:start(0)
    wait_for(function() return fired == 2 end)
    timer:start(100)
    timer:stop()
  end)
end)
