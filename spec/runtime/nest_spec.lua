-- SPDX-License-Identifier: MIT
-- Our loop inside another one, by ipc.fileno() and ipc.step(): cqueues polls the descriptor, or libuv does, and calls
-- step. Ours goes on there, and so does the other; and nothing of it is lost or late for want of a call.

local ipc = require "ipc"
local shell = require "spec.support.shell"

local PATIENCE <const> = 10

-- Each makes another loop: after(seconds, fn) is a timer of its own; run() holds our loop in it until step says that
-- nothing is left, and returns how often it called step.
local loops = {}

function loops.cqueues()
  local cqueues = require "cqueues"
  local loop, steps = cqueues.new(), 0
  local other = {}
  function other.after(seconds, fn)
    loop:wrap(function()
      cqueues.sleep(seconds)
      fn()
    end)
  end
  function other.run()
    loop:wrap(function()
      local ready = {pollfd = ipc.fileno(), events = "r"}
      while ipc.step(0) do
        steps = steps + 1
        cqueues.poll(ready, PATIENCE)
      end
    end)
    assert(loop:loop())
    return steps
  end
  return other
end

function loops.luv()
  local uv = require "luv"
  local other = {}
  function other.after(seconds, fn)
    local timer = uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function()
      timer:close()
      fn()
    end)
  end
  function other.run()
    local poll, late, steps, problem = assert(uv.new_poll(ipc.fileno())), uv.new_timer(), 0, nil
    local function step()
      steps = steps + 1
      local ok, more = pcall(ipc.step, 0)
      if not ok then problem = more end
      if ok and more then return end
      poll:stop()
      poll:close()
      late:close()
    end
    poll:start("r", step)
    late:start(PATIENCE * 1000, 0, step) -- a spec that fails should not hang
    step()
    uv.run()
    if problem then error(problem, 0) end
    return steps
  end
  return other
end

for name, make in pairs(loops) do
  describe("nested in " .. name, function()
    if not pcall(require, name) then return pending(name .. " is not installed") end

    it("tasks, timers, channels and signals go on, and the other loop's timers", function()
      local other, log, pid = make(), {}, shell.pid()
      local function note(what) log[#log + 1] = what end
      local a, b = ipc.stream_channel_pair()
      local trap <close> = ipc.signal_trap("USR1")
      ipc.task(function()
        ipc.sleep(0.004)
        note("slept")
        a:send("message")
      end)
      ipc.task(function()
        note(b:receive())
        ipc.signal("USR1"):dispatch(pid)
      end)
      ipc.task(function()
        trap:wait()
        note("signal")
        ipc.after(0.003, function() note("timer") end)
      end)
      local ticks = 0
      ipc.timer(0.001, function(timer)
        ticks = ticks + 1
        if ticks == 5 then timer:stop() end
      end)
      local theirs = 0
      for i = 1, 5 do other.after(0.002 * i, function() theirs = theirs + 1 end) end
      other.run()
      assert.same({"slept", "message", "signal", "timer"}, log)
      assert.equal(5, ticks)
      if theirs < 5 then other.run() end
      assert.equal(5, theirs)
      assert.is_false(ipc.step(0))
    end)

    it("what the other loop starts in ours is run without a call", function()
      local other, got = make(), {}
      local a, b = ipc.stream_channel_pair()
      ipc.task(function()
        for message in b:messages() do got[#got + 1] = message end
      end)
      other.after(0.002, function()
        a:send("one")
        other.after(0.004, function()
          a:send("two")
          a:close()
        end)
      end)
      other.run()
      assert.same({"one", "two"}, got)
    end)

    it("what was gathered outside of a step is written", function()
      local other, got, sent = make(), {}, 0
      local a, b = ipc.stream_channel_pair {buffer = 1000}
      ipc.task(function()
        for _ = 1, 3 do got[#got + 1] = b:receive(PATIENCE - 1) end
      end)
      for i = 1, 3 do
        other.after(0.002 * i, function()
          sent = sent + 1
          a:send(sent)
        end)
      end
      local start = ipc.now()
      other.run()
      assert.same({1, 2, 3}, got)
      assert.is_true(ipc.now() - start < PATIENCE - 1)
    end)

    it("a task made by the other loop's callback runs, its sleep ends in time", function()
      local other, log = make(), {}
      local keep = ipc.task(ipc.sleep, 0.02)
      other.after(0.002, function()
        ipc.task(function()
          log[#log + 1] = "started"
          ipc.sleep(0.002)
          log[#log + 1] = "slept"
        end)
      end)
      other.run()
      assert.same({"started", "slept"}, log)
      assert.equal("done", keep:status())
    end)

    it("a child process is reaped and its messages come", function()
      local other, got = make(), {}
      local child = ipc.process(function(channel)
        for i = 1, 100 do channel:send(i) end
      end)
      ipc.task(function()
        for message in child.channel:messages() do got[#got + 1] = message end
        got.ended = {child:wait()}
      end)
      other.run()
      assert.equal(100, #got)
      assert.same({true, "exit", 0}, got.ended)
    end)

    it("sleepers by the thousand are woken with few steps #nosan", function()
      local other, woken = make(), 0
      for i = 1, 2000 do
        ipc.task(function()
          ipc.sleep(i % 10 / 1000)
          woken = woken + 1
        end)
      end
      local steps = other.run()
      assert.equal(2000, woken)
      assert.is_true(steps < 2000, steps)
    end)

    it("waiting makes no step #nosan", function()
      local other, woken = make(), false
      ipc.task(function()
        ipc.sleep(0.1)
        woken = true
      end)
      local steps = other.run()
      assert.is_true(woken)
      assert.is_true(steps <= 5, steps)
    end)
  end)
end

describe("step", function()
  it("says whether something is left to run", function()
    assert.is_false(ipc.step(0))
    local t = ipc.task(ipc.sleep, 0.001)
    assert.is_true(ipc.step(0))
    while ipc.step() do end
    assert.equal("done", t:status())
    local timer = ipc.after(100, function() end)
    assert.is_true(ipc.step(0))
    timer:stop()
    assert.is_false(ipc.step(0))
    timer:start(100)
    timer:detach()
    assert.is_false(ipc.step(0))
    timer:stop()
  end)

  it("waits for something to do, at most so long", function()
    local woken = false
    ipc.task(function()
      ipc.sleep(0.005)
      woken = true
    end)
    local start = ipc.now()
    while ipc.step(PATIENCE) do end
    assert.is_true(woken)
    assert.is_true(ipc.now() - start < PATIENCE)
    local t = ipc.task(ipc.sleep, 100)
    ipc.step(0)
    start = ipc.now()
    assert.is_true(ipc.step(0.003))
    assert.is_true(ipc.now() - start >= 0.003)
    t:close()
  end)

  it("is refused to tasks and callbacks, and what it is given must be a timeout", function()
    local t = ipc.task(function() ipc.step(0) end)
    local ok, err = t:join()
    assert.is_false(ok)
    assert.matches("ipc.step is for the main chunk, not for a task or a callback", err, 1, true)
    assert.error_matches(function() ipc.step(-1) end, "not negative")
    assert.error_matches(function() ipc.step("1") end, "number expected")
  end)

  it("passes on no error of a task", function()
    local t
    local j = ipc.task(function() return t:join() end) -- before it fails: nothing is printed
    t = ipc.task(function() error("mine") end)
    while ipc.step(0) do end
    assert.equal("failed", t:status())
    assert.is_false((select(2, j:join(0))))
  end)
end)

describe("the loop's descriptor", function()
  it("stays the same, and is readable when there is something to do", function()
    local fd = ipc.fileno()
    assert.equal(fd, ipc.fileno())
    if not pcall(require, "cqueues") then return pending("cqueues is not installed") end
    local cqueues = require "cqueues"
    local function readable(seconds)
      return cqueues.poll({pollfd = ipc.fileno(), events = "r"}, seconds) ~= seconds
    end
    while ipc.step(0) do end
    assert.is_false(readable(0.001))
    local t = ipc.task(function() return "done" end)
    assert.is_true(readable(PATIENCE))
    while ipc.step(0) do end
    assert.same({true, "done"}, {t:join(0)})
    assert.is_false(readable(0.001))
  end)
end)
